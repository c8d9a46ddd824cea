//! Chunks of output to lines, each stream for itself. Pure.
//!
//! **Invariant.** No byte is lost or moved between streams; at most [`MAX_LINE_BYTES`] of each stream are held back.

use super::wire::{LogLine, LogStream};
use crate::api::wire::Time;
use crate::domain::ids::UnixMillis;
use crate::domain::runtime::{OutputChunk, OutputStream};

/// Longest line given in one piece, in bytes: Docker's own limit of a log entry.
pub(super) const MAX_LINE_BYTES: usize = 16 * 1024;

/// Holds the unfinished line of each stream.
#[derive(Debug, Default)]
pub(super) struct Lines {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Lines {
    /// The lines that `chunk` completes.
    pub(super) fn push(&mut self, chunk: &OutputChunk) -> Vec<LogLine> {
        let (stream, held) = match chunk.stream {
            OutputStream::Stdout => (LogStream::Stdout, &mut self.stdout),
            OutputStream::Stderr => (LogStream::Stderr, &mut self.stderr),
        };
        let mut lines = Vec::new();
        for piece in chunk.bytes.split_inclusive(|byte| *byte == b'\n') {
            held.extend_from_slice(piece);
            if held.last() == Some(&b'\n') {
                held.pop();
                if held.last() == Some(&b'\r') {
                    held.pop();
                }
                lines.extend(take((stream, chunk.at), held, true));
            } else {
                lines.extend(take((stream, chunk.at), held, false));
            }
        }
        lines
    }

    /// What was held back, at the end of the output.
    pub(super) fn finish(&mut self) -> Vec<LogLine> {
        let mut lines = Vec::new();
        for (stream, held) in [
            (LogStream::Stdout, &mut self.stdout),
            (LogStream::Stderr, &mut self.stderr),
        ] {
            if !held.is_empty() {
                lines.extend(take((stream, None), held, true));
            }
        }
        lines
    }
}

/// Pieces of the full length, and the rest if the line is complete.
fn take(
    (stream, at): (LogStream, Option<UnixMillis>),
    held: &mut Vec<u8>,
    complete: bool,
) -> Vec<LogLine> {
    let line = |bytes: &[u8]| LogLine {
        stream,
        at: at.map(Time::from),
        text: String::from_utf8_lossy(bytes).into_owned(),
    };
    let mut lines = Vec::new();
    while held.len() > MAX_LINE_BYTES {
        let rest = held.split_off(character_end(held, MAX_LINE_BYTES));
        lines.push(line(held));
        *held = rest;
    }
    if complete {
        lines.push(line(held));
        held.clear();
    }
    lines
}

/// The last place up to `limit` that does not cut a UTF-8 character; `limit` itself in bytes that are none.
fn character_end(bytes: &[u8], limit: usize) -> usize {
    let begins = |at: &usize| bytes.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80);
    (limit.saturating_sub(3)..=limit)
        .rev()
        .find(begins)
        .unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(stream: OutputStream, bytes: &[u8]) -> OutputChunk {
        OutputChunk {
            stream,
            bytes: bytes.to_vec(),
            at: None,
        }
    }

    fn texts(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn streams_do_not_mix_and_a_line_waits_for_its_end() {
        let mut lines = Lines::default();
        assert_eq!(
            texts(&lines.push(&chunk(OutputStream::Stdout, b"one\ntw"))),
            ["one"]
        );
        assert_eq!(
            texts(&lines.push(&chunk(OutputStream::Stderr, b"bad\r\n"))),
            ["bad"]
        );
        assert_eq!(
            texts(&lines.push(&chunk(OutputStream::Stdout, b"o\n\n"))),
            ["two", ""]
        );
        assert!(lines.finish().is_empty());
        assert!(
            lines
                .push(&chunk(OutputStream::Stdout, b"no end"))
                .is_empty()
        );
        assert_eq!(texts(&lines.finish()), ["no end"]);
    }

    #[test]
    fn a_character_cut_between_chunks_is_whole_again() {
        let mut lines = Lines::default();
        let (first, second) = "ä\n".as_bytes().split_at(1);
        assert!(lines.push(&chunk(OutputStream::Stdout, first)).is_empty());
        assert_eq!(
            texts(&lines.push(&chunk(OutputStream::Stdout, second))),
            ["ä"]
        );
    }

    #[test]
    fn an_endless_line_comes_in_pieces_between_characters() {
        let text = "€".repeat(20_000);
        let mut lines = Lines::default();
        let mut all = lines.push(&chunk(OutputStream::Stdout, text.as_bytes()));
        assert!(all.iter().all(|line| line.text.len() <= MAX_LINE_BYTES));
        all.extend(lines.finish());
        assert_eq!(texts(&all).concat(), text);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_where_chunks_are_cut(text in "[a-zä\n]{0,200}", cut in 0_usize..200) {
            let bytes = text.as_bytes();
            let (left, right) = bytes.split_at(cut.min(bytes.len()));
            let mut whole = Lines::default();
            let mut expected = whole.push(&chunk(OutputStream::Stdout, bytes));
            expected.extend(whole.finish());
            let mut parts = Lines::default();
            let mut found = parts.push(&chunk(OutputStream::Stdout, left));
            found.extend(parts.push(&chunk(OutputStream::Stdout, right)));
            found.extend(parts.finish());
            prop_assert_eq!(found, expected);
        }
    }
}
