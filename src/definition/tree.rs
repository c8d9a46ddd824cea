//! Bytes to a JSON tree, with every complaint located and keys that stand twice noticed.
//!
//! `serde_json` alone keeps the last of two equal keys in silence; this visitor keeps it too, and says so. Positions
//! come from counting lines as the parser reads, because `serde_json` shows them only in errors. Reading so is several
//! times slower than from memory, so only a text that needs it, with an error or a key that stands twice, is read so.
//!
//! **Invariant.** Nesting is limited by `serde_json` (128), so later recursion over the tree is bounded.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::Read;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::finding::{Notes, Rejected};
use super::parse::MAX_FILE_BYTES;
use super::placeholders;

/// Reads one JSON document.
pub(super) fn read(text: &[u8], notes: &Notes) -> Result<Value, Rejected> {
    if text.len() > MAX_FILE_BYTES {
        return Err(Rejected::whole_document(format!(
            "is {} bytes long, the limit is 10 MiB ({MAX_FILE_BYTES} bytes)",
            text.len()
        )));
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err(Rejected::whole_document(
            "is UTF-16, must be UTF-8; PowerShell's `>` writes UTF-16, `Set-Content -Encoding utf8` does not",
        ));
    }
    let text = std::str::from_utf8(text).map_err(|error| {
        let good = text.get(..error.valid_up_to()).unwrap_or_default();
        let (line, column) = end_of(good);
        Rejected::whole_document(format!("is not UTF-8: line {line}, column {column}"))
    })?;
    if text.trim_start().is_empty() {
        return Err(Rejected::whole_document(
            "is empty, must be a task definition in JSON",
        ));
    }
    match in_memory(text) {
        Some(value) => Ok(value),
        None => line_by_line(text, notes),
    }
}

/// The document, if there is nothing to say of it.
fn in_memory(text: &str) -> Option<Value> {
    let (line, twice) = (Cell::new(1), Cell::new(false));
    let state = State {
        path: RefCell::default(),
        line: &line,
        twice: Twice::Noticed(&twice),
    };
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = Node(&state).deserialize(&mut parser).ok()?;
    parser.end().ok()?;
    (!twice.get()).then_some(value)
}

/// The document, with the lines of what there is to say.
fn line_by_line(text: &str, notes: &Notes) -> Result<Value, Rejected> {
    let line = Cell::new(1);
    let state = State {
        path: RefCell::default(),
        line: &line,
        twice: Twice::Told(notes),
    };
    let lines = CountLines {
        rest: text.as_bytes(),
        line: &line,
    };
    let mut parser = serde_json::Deserializer::from_reader(lines);
    Node(&state)
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value))
        .map_err(|error| Rejected::whole_document(describe(text, &error)))
}

/// Line and column, from 1, of the place right behind `text`.
fn end_of(text: &[u8]) -> (usize, usize) {
    let lines = text.split(|&byte| byte == b'\n');
    let last = lines.clone().next_back().map_or(0, <[u8]>::len);
    (lines.count(), last.saturating_add(1))
}

/// `serde_json`'s error in our form, with advice for the one mistake templates make: a placeholder without quotes.
fn describe(text: &str, error: &serde_json::Error) -> String {
    let full = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = full.strip_suffix(&place).unwrap_or(&full);
    let mut message = format!(
        "is not JSON: {what}: line {}, column {}",
        error.line(),
        error.column()
    );
    let line = text
        .lines()
        .nth(error.line().saturating_sub(1))
        .unwrap_or_default();
    // The parser stops at the placeholder's first or second character, at a column counted from 1.
    let near = || {
        let back = [2, 1].into_iter();
        back.filter_map(|back| line.get(error.column().checked_sub(back)?..))
    };
    if near().any(placeholders::begins_with_json) {
        message.push_str("; a template that makes JSON stands there: write what it makes");
    } else if let Some(name) = near().find_map(placeholders::leading_name) {
        message.push_str("; a placeholder must stand in quotes, then --var ");
        message.push_str(&name);
        message.push_str("=VALUE fills it");
    }
    message
}

/// Hands out bytes and counts the lines handed out. The parser reads ahead by at most one byte.
struct CountLines<'a> {
    rest: &'a [u8],
    line: &'a Cell<usize>,
}

impl Read for CountLines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.rest.read(buffer)?;
        let breaks = buffer
            .iter()
            .take(count)
            .filter(|&&byte| byte == b'\n')
            .count();
        self.line.set(self.line.get().saturating_add(breaks));
        Ok(count)
    }
}

/// Where the parser is.
struct State<'a> {
    path: RefCell<String>,
    line: &'a Cell<usize>,
    twice: Twice<'a>,
}

/// What becomes of a key that stands twice.
enum Twice<'a> {
    /// It is noticed.
    Noticed(&'a Cell<bool>),
    /// It is told, with its line.
    Told(&'a Notes),
}

impl State<'_> {
    /// The key at the end of the path stands twice; its value comes from that line on.
    fn twice(&self, line: usize) {
        match self.twice {
            Twice::Noticed(seen) => seen.set(true),
            Twice::Told(notes) => {
                let message = format!("is given twice; the last one counts, here from line {line}");
                notes.warn(&self.path.borrow(), message);
            }
        }
    }

    /// Runs `inner` with the path one step longer.
    fn within<T>(&self, step: impl fmt::Display, inner: impl FnOnce() -> T) -> T {
        use fmt::Write as _;
        let before = self.path.borrow().len();
        {
            let mut path = self.path.borrow_mut();
            // Writing to a String cannot fail.
            write!(path, "{step}").unwrap_or_default();
        }
        let result = inner();
        self.path.borrow_mut().truncate(before);
        result
    }
}

/// One value of the document.
#[derive(Clone, Copy)]
struct Node<'a>(&'a State<'a>);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let step = format_args!("[{}]", list.len()).to_string();
            let Some(item) = self.0.within(step, || items.next_element_seed(self))? else {
                return Ok(Value::Array(list));
            };
            list.push(item);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let line = self.0.line.get();
            let dot = if self.0.path.borrow().is_empty() {
                ""
            } else {
                "."
            };
            let step = format!("{dot}{key}");
            let again = object.contains_key(&key);
            let value = self.0.within(&step, || {
                if again {
                    self.0.twice(line);
                }
                entries.next_value_seed(self)
            })?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::finding::Rules;
    use super::*;

    fn notes() -> Notes {
        Notes::new(Rules::Input, BTreeMap::new())
    }

    fn refusal(text: &[u8]) -> String {
        read(text, &notes()).unwrap_err().to_string()
    }

    #[test]
    fn the_last_of_two_equal_keys_counts_and_is_named_with_its_line() {
        let notes = notes();
        let value = read(b"{\n\"a\": [{\"b\": 1,\n\n  \"b\": 2}]}", &notes).unwrap();
        assert_eq!(value["a"][0]["b"], 2);
        let findings = notes.into_findings();
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].to_string(),
            "warning: a[0].b: is given twice; the last one counts, here from line 4"
        );
    }

    #[test]
    fn a_byte_order_mark_and_white_space_are_fine() {
        assert_eq!(
            read(b"\xef\xbb\xbf \r\n{\"a\": 1.0} \n", &notes()).unwrap()["a"],
            1.0
        );
    }

    #[test]
    fn malformed_text_is_located() {
        let cases: [(&[u8], &str); 7] = [
            (b"", "is empty, must be a task definition in JSON"),
            (
                b"{\n \"a\": 1,\n}",
                "is not JSON: trailing comma: line 3, column 1",
            ),
            (
                b"{} x",
                "is not JSON: trailing characters: line 1, column 4",
            ),
            (b"{\n\"a\": \"\xff\"}", "is not UTF-8: line 2, column 7"),
            (
                b"{\"a\": {{port}} }",
                "is not JSON: key must be a string: line 1, column 8; \
                 a placeholder must stand in quotes, then --var port=VALUE fills it",
            ),
            (
                b"{\"a\": ${CPU} }",
                "is not JSON: expected value: line 1, column 7; \
                 a placeholder must stand in quotes, then --var CPU=VALUE fills it",
            ),
            (
                b"\xff\xfe{\0}\0",
                "is UTF-16, must be UTF-8; PowerShell's `>` writes UTF-16, `Set-Content -Encoding utf8` does not",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(refusal(text), expected);
        }
    }

    #[test]
    fn deep_nesting_is_refused_rather_than_followed() {
        for open in ["[", "{\"a\":"] {
            let message = refusal(open.repeat(200_000).as_bytes());
            assert!(
                message.contains("recursion limit exceeded: line 1"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_long_file_is_refused_with_the_limit() {
        let message = refusal(&vec![b' '; MAX_FILE_BYTES + 1]);
        assert_eq!(
            message,
            "is 10485761 bytes long, the limit is 10 MiB (10485760 bytes)"
        );
    }
}
