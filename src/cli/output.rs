//! What subcommands print: the only way to standard output and standard error.
//!
//! **Invariant.** Text of others (messages of Docker, names in a log) is printed by [`plain`] where it stands in our
//! own lines, so that it cannot move the cursor or break a line. Container output is passed on as it is.

use std::io::{self, Write};

use serde::Serialize;

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputStyle {
    /// Whether ANSI colours are wanted: standard output is a terminal and nobody said `NO_COLOR`.
    pub color: bool,
    /// Columns; 80 if nobody knows.
    pub width: usize,
    /// For people or for programs.
    pub format: Format,
}

/// For whom to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// The API's own JSON; streams give an object a line.
    Json,
}

/// Standard output and standard error, or stand-ins of tests.
pub struct Output {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    style: OutputStyle,
}

/// Colours of container prefixes: those that are legible on light and dark.
const PREFIX_COLORS: [&str; 6] = ["36", "33", "32", "35", "34", "31"];

impl Output {
    /// Prints to these.
    pub fn new(
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
        style: OutputStyle,
    ) -> Self {
        Self {
            out: Box::new(out),
            err: Box::new(err),
            style,
        }
    }

    /// Prints to the process' own streams.
    pub fn process(style: OutputStyle) -> Self {
        Self::new(io::stdout(), io::stderr(), style)
    }

    /// For whom to print.
    pub fn format(&self) -> Format {
        self.style.format
    }

    /// Columns to print in.
    pub fn width(&self) -> usize {
        self.style.width
    }

    /// One line of the answer.
    ///
    /// # Errors
    /// If the reader has gone away.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// One line beside the answer: progress, warnings.
    ///
    /// # Errors
    /// If the reader has gone away.
    pub fn note(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.err, "{text}")?;
        self.err.flush()
    }

    /// A value as indented JSON.
    ///
    /// # Errors
    /// If the reader has gone away.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        self.line(&text)
    }

    /// A value as one line of JSON.
    ///
    /// # Errors
    /// If the reader has gone away.
    pub fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value).map_err(io::Error::other)?;
        self.line(&text)
    }

    /// The text in bold, where colours are wanted.
    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// A container's prefix in the colour of its number, where colours are wanted.
    pub fn prefix(&self, number: usize, text: &str) -> String {
        let color = PREFIX_COLORS
            .iter()
            .cycle()
            .nth(number % PREFIX_COLORS.len());
        self.paint(color.copied().unwrap_or("0"), text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.style.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The text with every control character (line feeds, escapes) made a space.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// At most `width` characters, the last one `…` if some are missing.
pub(super) fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Lines of at most `width` characters, broken at spaces; a longer word gets a line of its own.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let longer = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && longer > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[2J\nb\tc"), "a [2J b c");
    }

    #[test]
    fn text_is_clipped_and_wrapped_by_characters() {
        assert_eq!(clip("größer", 6), "größer");
        assert_eq!(clip("größer", 4), "grö…");
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("a unbreakable b", 5), ["a", "unbreakable", "b"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        let style = |color| OutputStyle {
            color,
            width: 80,
            format: Format::Text,
        };
        let output = |color| Output::new(io::sink(), io::sink(), style(color));
        assert_eq!(output(false).prefix(7, "app"), "app");
        assert_eq!(output(true).prefix(7, "app"), "\u{1b}[33mapp\u{1b}[0m");
    }
}
