//! One line of the notation as words: flags, `key=value` pairs and the free text behind them.

use crate::domain::ids::UnixMillis;

/// The words of a line that have not been read yet.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    line: &'a str,
    words: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        Self {
            line,
            words: line.split_whitespace().collect(),
        }
    }

    /// The next word.
    pub(super) fn next(&mut self) -> &'a str {
        assert!(!self.words.is_empty(), "a word is missing: {}", self.line);
        self.words.remove(0)
    }

    /// Whether the flag stands there.
    pub(super) fn flag(&mut self, flag: &str) -> bool {
        let found = self.words.iter().position(|word| *word == flag);
        found.map(|at| self.words.remove(at)).is_some()
    }

    /// The value of the key.
    pub(super) fn value(&mut self, key: &str) -> Option<&'a str> {
        let found = self.words.iter().position(|word| {
            word.strip_prefix(key)
                .is_some_and(|rest| rest.starts_with('='))
        })?;
        Some(&self.words.remove(found)[key.len() + 1..])
    }

    /// The value of the key as a number.
    pub(super) fn number(&mut self, key: &str) -> Option<u64> {
        self.value(key).map(|text| text.parse().unwrap())
    }

    /// The value of the key as an instant in seconds.
    pub(super) fn at(&mut self, key: &str) -> Option<UnixMillis> {
        self.value(key).map(instant)
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> String {
        std::mem::take(&mut self.words).join(" ")
    }

    /// Nothing may be left: a word that nobody reads is a mistake in the table.
    pub(super) fn end(self) {
        assert!(self.words.is_empty(), "{:?} in: {}", self.words, self.line);
    }
}

/// Seconds, with a fraction or without.
pub(super) fn instant(text: &str) -> UnixMillis {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let millis = format!("{fraction:0<3}").parse::<i64>().unwrap();
    UnixMillis(seconds.parse::<i64>().unwrap() * 1000 + millis)
}

/// The instant as the notation writes it.
pub(super) fn seconds(at: UnixMillis) -> String {
    let (seconds, millis) = (at.0 / 1000, at.0 % 1000);
    if millis == 0 {
        seconds.to_string()
    } else {
        format!("{seconds}.{millis:03}")
            .trim_end_matches('0')
            .to_owned()
    }
}
