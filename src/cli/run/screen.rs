//! Everything `berth run` prints: output of containers, state changes, pulls.
//!
//! **Invariants.** Output of containers goes to the stream it came from, everything else to standard error, so that
//! `berth run … | …` passes on what the containers wrote. With JSON all goes to standard output, one object a line.
//! Bars are drawn on a terminal only and step aside while lines are written.

use std::collections::BTreeMap;
use std::io::{self, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::prefix::Prefixes;
use super::view::StateLine;
use crate::domain::ids::ContainerName;
use crate::domain::runtime::{OutputStream, PullProgress};

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Lines, for programs and files.
    Plain,
    /// Lines and progress bars, for people on a terminal.
    Live,
    /// One JSON object a line.
    Json,
}

/// Where to print.
pub struct Screen {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    prefixes: Prefixes,
    json: bool,
    bars: Option<Bars>,
}

impl Screen {
    /// A screen that prints to these two streams.
    pub fn new(
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        prefixes: Prefixes,
        style: Style,
    ) -> Self {
        Self {
            out,
            err,
            prefixes,
            json: style == Style::Json,
            bars: (style == Style::Live).then(Bars::new),
        }
    }

    /// One line of output of a container.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn output(
        &mut self,
        container: &ContainerName,
        stream: OutputStream,
        line: &[u8],
    ) -> io::Result<()> {
        let (target, word) = match stream {
            OutputStream::Stdout => (&mut self.out, "stdout"),
            OutputStream::Stderr => (&mut self.err, "stderr"),
        };
        if self.json {
            let text = String::from_utf8_lossy(line);
            return write_json(
                &mut self.out,
                &json!({"type": "log", "container": container.as_str(), "stream": word, "line": text}),
            );
        }
        let line = self.prefixes.line(container.as_str(), line);
        aside(self.bars.as_ref(), || {
            target.write_all(&line)?;
            target.flush()
        })
    }

    /// One state change.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn state(&mut self, line: &StateLine) -> io::Result<()> {
        let container = line.container.as_ref().map(ContainerName::as_str);
        if self.json {
            return write_json(
                &mut self.out,
                &json!({"type": "state", "container": container, "text": line.text}),
            );
        }
        let err = &mut self.err;
        aside(self.bars.as_ref(), || {
            match container {
                Some(container) => writeln!(err, "berth: {container} {}", line.text)?,
                None => writeln!(err, "berth: {}", line.text)?,
            }
            err.flush()
        })
    }

    /// Something about the task as a whole.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note(&mut self, text: impl Into<String>) -> io::Result<()> {
        self.state(&StateLine {
            container: None,
            text: text.into(),
        })
    }

    /// The pulls under way.
    pub fn pulls(&mut self, pulls: &BTreeMap<ContainerName, Option<PullProgress>>) {
        if let Some(bars) = &mut self.bars {
            bars.show(pulls);
        }
    }

    /// The end: the exit code, which people see in their shell.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn result(&mut self, code: u8) -> io::Result<()> {
        if self.json {
            write_json(&mut self.out, &json!({"type": "result", "exitCode": code}))?;
        }
        Ok(())
    }
}

fn write_json(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    writeln!(out, "{value}")?;
    out.flush()
}

/// Writes while no bar is in the way.
fn aside(bars: Option<&Bars>, write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    match bars {
        Some(bars) => bars.all.suspend(write),
        None => write(),
    }
}

/// One bar a pull.
struct Bars {
    all: MultiProgress,
    by_container: BTreeMap<ContainerName, ProgressBar>,
}

impl Bars {
    /// Redraws a second: smooth enough for eyes, cheap enough for slow terminals.
    const REDRAWS: u8 = 10;

    fn new() -> Self {
        Self {
            all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(Self::REDRAWS)),
            by_container: BTreeMap::new(),
        }
    }

    fn show(&mut self, pulls: &BTreeMap<ContainerName, Option<PullProgress>>) {
        self.by_container.retain(|container, bar| {
            let stays = pulls.contains_key(container);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
        for (container, progress) in pulls {
            let bar = self
                .by_container
                .entry(container.clone())
                .or_insert_with(|| {
                    let bar = ProgressBar::new(0).with_style(style());
                    bar.set_message(container.to_string());
                    self.all.add(bar)
                });
            if let Some(progress) = progress {
                bar.set_length(progress.download_total_bytes);
                bar.set_position(progress.downloaded_bytes);
                bar.set_prefix(format!(
                    "{}/{}",
                    progress.layers_done, progress.layers_total
                ));
            }
        }
    }
}

/// Name, bar, bytes, rate and layers.
fn style() -> ProgressStyle {
    const TEMPLATE: &str = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} layers {prefix}";
    ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::super::sample::name;
    use super::super::sink::Sink;
    use super::*;

    fn screen(style: Style) -> (Screen, Sink, Sink) {
        let (out, err) = (Sink::default(), Sink::default());
        let prefixes = Prefixes::new(["app".to_owned()], false);
        let screen = Screen::new(
            Box::new(out.clone()),
            Box::new(err.clone()),
            prefixes,
            style,
        );
        (screen, out, err)
    }

    #[test]
    fn output_keeps_its_stream_and_states_go_to_standard_error() {
        let (mut screen, out, err) = screen(Style::Plain);
        screen
            .output(&name("app"), OutputStream::Stdout, b"a")
            .expect("written");
        screen
            .output(&name("app"), OutputStream::Stderr, b"b")
            .expect("written");
        screen.note("stopping").expect("written");
        screen.result(3).expect("written");
        assert_eq!(out.text(), "app | a\n");
        assert_eq!(err.text(), "app | b\nberth: stopping\n");
    }

    #[test]
    fn json_is_one_object_a_line_on_standard_output() {
        let (mut screen, out, err) = screen(Style::Json);
        screen
            .output(&name("app"), OutputStream::Stderr, b"\xff")
            .expect("written");
        let line = StateLine {
            container: Some(name("app")),
            text: "started".to_owned(),
        };
        screen.state(&line).expect("written");
        screen.result(3).expect("written");
        let lines: Vec<Value> = out
            .text()
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines[0]["stream"], "stderr");
        assert_eq!(lines[1]["text"], "started");
        assert_eq!(lines[2]["exitCode"], 3);
        assert_eq!(err.text(), "");
    }

    #[test]
    fn the_bar_has_a_template_that_reads() {
        let (mut screen, ..) = screen(Style::Live);
        screen.pulls(
            &[(name("app"), Some(PullProgress::default()))]
                .into_iter()
                .collect(),
        );
        screen.pulls(&BTreeMap::new());
        assert!(ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes}").is_ok());
    }
}
