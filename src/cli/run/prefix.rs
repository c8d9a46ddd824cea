//! Cuts the output of containers into lines and marks each with its container.
//!
//! **Invariants.** Bytes are passed on as they are, also when they are no text. Lines of different containers and
//! streams never run into each other; a last line without a newline gets one. No line holds back more than
//! [`MAX_LINE_BYTES`].

/// Longest piece held back for its newline, in bytes; longer lines come out in pieces of this size.
pub const MAX_LINE_BYTES: usize = 16 * 1024;

/// Collects one stream of one container.
#[derive(Debug, Default)]
pub struct LineSplitter {
    partial: Vec<u8>,
}

impl LineSplitter {
    /// Takes a piece of output and gives the lines that are complete now, without their newlines.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        let last = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            self.extend(piece, &mut lines);
            lines.push(std::mem::take(&mut self.partial));
        }
        self.extend(last, &mut lines);
        lines
    }

    /// The end of the stream: what is left, if anything is.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        (!self.partial.is_empty()).then(|| std::mem::take(&mut self.partial))
    }

    fn extend(&mut self, mut bytes: &[u8], lines: &mut Vec<Vec<u8>>) {
        loop {
            let room = MAX_LINE_BYTES.saturating_sub(self.partial.len());
            let Some((now, later)) = bytes.split_at_checked(room).filter(|(_, l)| !l.is_empty())
            else {
                self.partial.extend(bytes);
                return;
            };
            self.partial.extend(now);
            lines.push(std::mem::take(&mut self.partial));
            bytes = later;
        }
    }
}

/// Names of containers as prefixes of one width, coloured or not.
#[derive(Clone, Debug)]
pub struct Prefixes {
    names: Vec<String>,
    width: usize,
    colour: bool,
}

/// ANSI colours that are readable on dark and light grounds, in the order in which containers get them.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];

impl Prefixes {
    /// Prefixes for these containers.
    pub fn new(names: impl IntoIterator<Item = String>, colour: bool) -> Self {
        let names: Vec<String> = names.into_iter().collect();
        let width = names.iter().map(String::len).max().unwrap_or_default();
        Self {
            names,
            width,
            colour,
        }
    }

    /// One line to be written: prefix, the bytes, newline.
    pub fn line(&self, name: &str, bytes: &[u8]) -> Vec<u8> {
        let width = self.width;
        let place = self.names.iter().position(|known| known == name);
        let colour = place
            .filter(|_| self.colour)
            .and_then(|place| COLOURS.iter().cycle().nth(place));
        let mut line = match colour {
            Some(colour) => format!("\u{1b}[{colour}m{name:width$} |\u{1b}[0m "),
            None => format!("{name:width$} | "),
        }
        .into_bytes();
        line.extend(bytes);
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(lines: Vec<Vec<u8>>) -> Vec<String> {
        lines
            .into_iter()
            .map(|line| String::from_utf8_lossy(&line).into_owned())
            .collect()
    }

    #[test]
    fn a_line_comes_out_when_its_newline_came_in() {
        let mut splitter = LineSplitter::default();
        assert_eq!(text(splitter.push(b"one\ntw")), ["one"]);
        assert_eq!(text(splitter.push(b"o")), [""; 0]);
        assert_eq!(text(splitter.push(b"\n\nthree")), ["two", ""]);
        assert_eq!(splitter.finish(), Some(b"three".to_vec()));
        assert_eq!(splitter.finish(), None);
    }

    #[test]
    fn a_line_without_end_comes_out_in_pieces() {
        let mut splitter = LineSplitter::default();
        let lines = splitter.push(&vec![b'x'; MAX_LINE_BYTES * 2 + 5]);
        assert_eq!(
            lines.iter().map(Vec::len).collect::<Vec<_>>(),
            [MAX_LINE_BYTES; 2]
        );
        assert_eq!(splitter.finish().map(|rest| rest.len()), Some(5));
    }

    #[test]
    fn bytes_that_are_no_text_pass_unchanged() {
        let mut splitter = LineSplitter::default();
        assert_eq!(splitter.push(b"\xff\x00\r\n"), [b"\xff\x00\r".to_vec()]);
        let prefixes = Prefixes::new(["a".to_owned()], false);
        assert_eq!(prefixes.line("a", b"\xff\x00"), b"a | \xff\x00\n");
    }

    #[test]
    fn prefixes_are_of_one_width_and_coloured_by_place() {
        let names = || ["app".to_owned(), "sidecar".to_owned()];
        let plain = Prefixes::new(names(), false);
        assert_eq!(plain.line("app", b"x"), b"app     | x\n");
        assert_eq!(plain.line("sidecar", b"x"), b"sidecar | x\n");
        let coloured = Prefixes::new(names(), true);
        assert_eq!(coloured.line("app", b"x"), b"\x1b[36mapp     |\x1b[0m x\n");
        assert_eq!(coloured.line("stranger", b"x"), b"stranger | x\n");
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_or_added(chunks in proptest::collection::vec("[a-c\n]{0,12}", 0..12)) {
            let mut splitter = LineSplitter::default();
            let mut joined = Vec::new();
            for chunk in &chunks {
                for line in splitter.push(chunk.as_bytes()) {
                    joined.extend(line);
                    joined.push(b'\n');
                }
            }
            joined.extend(splitter.finish().unwrap_or_default());
            prop_assert_eq!(joined, chunks.concat().into_bytes());
        }
    }
}
