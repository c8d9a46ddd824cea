//! Log lines: for people on a terminal, one JSON object a line elsewhere.
//!
//! **Invariants.** Lines go to standard error, so that standard output stays with what was asked for; those of a service,
//! which has no standard error, to a file. The level of the
//! settings is ours; other crates speak from `warn` on, since their detail repeats ours. Errors are logged once, as the
//! field `error`, printed with their causes through [`crate::error::ErrorChain`]. A place in the code that writes too
//! often is cut short and says by how much. Every line from `info` on has the field `event`, a word for programs that
//! stays the same (`docs/operating.md` lists them).

mod event_log;

mod file;

mod limit;

mod lines;

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::{SetGlobalDefaultError, set_global_default};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{JsonFields, format};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::{LookupSpan, Registry};

use event_log::Events;
use file::LogFile;
use lines::Limited;

use crate::config::sections::{LogFormat, LogLevel, LogSection};
use crate::platform::event_log::EventLog;
use crate::platform::rotating::{FileConfig, Rotating};

/// Log lines could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("install the log subscriber")]
pub struct TelemetryError(#[from] SetGlobalDefaultError);

/// Sends log lines of the whole process to standard error from now on; those for people have colours if `ansi`.
///
/// # Errors
/// If that was done before.
pub fn install(section: LogSection, ansi: bool) -> Result<(), TelemetryError> {
    let json = is_json(section.format, io::stderr().is_terminal());
    let ansi = ansi && !json;
    set_global_default(subscriber(section.level, json, ansi, io::stderr))?;
    Ok(())
}

/// Sends log lines of the whole process, which is a service, to a file from now on, and those from `warn` on to the
/// event log as well, where there is one.
///
/// # Errors
/// If lines are sent somewhere already.
pub fn install_for_service(section: LogSection, file: FileConfig) -> Result<(), TelemetryError> {
    let lines = LogFile::new(Rotating::new(file));
    let json = is_json(section.format, false);
    let writer = move || lines.clone();
    // A log that cannot be opened keeps no service from running: its lines are in the file.
    let events = EventLog::open().ok().map(|log| {
        let form = format()
            .with_ansi(false)
            .with_target(false)
            .with_level(false)
            .without_time();
        tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(Events::new(log))
            .event_format(Limited::new(form, false))
            .with_filter(targets(section.level))
            .with_filter(LevelFilter::WARN)
    });
    set_global_default(subscriber(section.level, json, false, writer).with(events))?;
    Ok(())
}

fn is_json(format: LogFormat, terminal: bool) -> bool {
    match format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    }
}

fn subscriber<W>(
    level: LogLevel,
    json: bool,
    ansi: bool,
    writer: W,
) -> impl tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(ansi);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if json {
        let format = format().json().flatten_event(true).with_span_list(false);
        let lines = lines.fmt_fields(JsonFields::new());
        Box::new(lines.event_format(Limited::new(format, json)))
    } else {
        let format = format().with_ansi(ansi).with_target(false);
        Box::new(lines.event_format(Limited::new(format, json)))
    };
    Registry::default().with(lines.with_filter(targets(level)))
}

fn targets(level: LogLevel) -> Targets {
    let ours = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::None => LevelFilter::OFF,
    };
    Targets::new()
        .with_default(ours.min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), ours)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("unpoisoned").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: LogLevel, json: bool) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(level, json, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(task.arn = "t1", "started t1");
            tracing::debug!("why");
            tracing::info!(target: "sqlx", "chatter");
            tracing::warn!(target: "sqlx", "slow");
        });
        let bytes = lines.0.lock().expect("unpoisoned").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn lines_of_a_service_go_to_its_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log/ecs-agent.log");
        let file = LogFile::new(Rotating::new(FileConfig {
            path: path.clone(),
            max_bytes: 300,
            max_files: 1,
        }));
        let subscriber = subscriber(LogLevel::Info, true, false, move || file.clone());
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..5 {
                tracing::info!(event = "line", number, "said");
            }
        });
        let text = std::fs::read_to_string(&path).expect("a log");
        let last = text.lines().last().expect("a line");
        let line: serde_json::Value = serde_json::from_str(last).expect("JSON");
        assert_eq!(line["number"], 4);
        assert!(path.with_file_name("ecs-agent.log.1").exists());
    }

    #[test]
    fn each_json_line_is_an_object_with_its_fields() {
        let text = logged(LogLevel::Info, true);
        let first = text.lines().next().expect("a line");
        let line: serde_json::Value = serde_json::from_str(first).expect("JSON");
        assert_eq!(line["message"], "started t1");
        assert_eq!(line["task.arn"], "t1");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn a_hot_place_is_cut_short_and_says_by_how_much() {
        for json in [true, false] {
            let lines = Lines::default();
            let writer = lines.clone();
            let subscriber = subscriber(LogLevel::Info, json, false, move || writer.clone());
            let hot = || tracing::warn!(event = "hot", "again and again");
            tracing::subscriber::with_default(subscriber, || {
                for _ in 0..100 {
                    hot();
                }
                for _ in 0..100 {
                    tracing::info!(event = "quiet", "a step of many tasks");
                }
            });
            let bytes = lines.0.lock().expect("unpoisoned").clone();
            let text = String::from_utf8(bytes).expect("UTF-8");
            let count = |words: &str| text.lines().filter(|line| line.contains(words)).count();
            assert_eq!(count("again and again"), 60, "{text}");
            assert_eq!(count("a step of many tasks"), 100);
            assert_eq!(text.lines().count(), 160, "no empty lines");
        }
    }

    #[test]
    fn the_level_is_ours_and_others_speak_from_warn_on() {
        for (level, lines) in [
            (LogLevel::Debug, 3),
            (LogLevel::Info, 2),
            (LogLevel::Warn, 1),
            (LogLevel::Error, 0),
            (LogLevel::None, 0),
        ] {
            assert_eq!(logged(level, false).lines().count(), lines, "{level:?}");
        }
    }

    #[test]
    fn people_on_a_terminal_do_not_get_json() {
        for (format, terminal, json) in [
            (LogFormat::Auto, true, false),
            (LogFormat::Auto, false, true),
            (LogFormat::Human, false, false),
            (LogFormat::Json, true, true),
        ] {
            assert_eq!(is_json(format, terminal), json);
        }
    }
}
