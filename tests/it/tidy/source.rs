//! Rust sources as text: found, freed of comments, strings and test code, searched for paths.
//!
//! This is a scanner, not a parser: it knows enough of Rust's tokens to tell code from text. What it cannot see is
//! code made by macros.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of the repository.
pub(super) struct Source {
    /// Path from the root of the repository, with `/`.
    pub(super) path: String,
    /// Content.
    pub(super) text: String,
}

/// A path expression in code: where it stands and its first segments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mention {
    pub(super) line: usize,
    pub(super) name: String,
}

impl Source {
    /// Name of the last path segment.
    pub(super) fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The code alone, line for line where it was: comments, strings and test modules are blank.
    pub(super) fn code(&self) -> String {
        without_tests(&blank(&self.text)).to_owned()
    }

    /// Module path below the crate: `src/a/b.rs` gives `["a", "b"]`, `src/a/mod.rs` gives `["a"]`.
    pub(super) fn module(&self) -> Vec<&str> {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let stem = below.strip_suffix(".rs").unwrap_or(below);
        stem.split('/').filter(|part| *part != "mod").collect()
    }
}

/// The root of the repository.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder of the repository, by path; empty if there is no such folder.
pub(super) fn files_below(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if let Ok(below) = path.strip_prefix(root()) {
                found.push(below.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// Whether the path ends with that extension.
pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|found| found == extension)
}

/// Rust sources below a folder.
pub(super) fn sources_below(folder: &str) -> Vec<Source> {
    files_below(folder)
        .into_iter()
        .filter(|path| has_extension(path, "rs"))
        .map(|path| Source {
            text: fs::read_to_string(root().join(&path)).unwrap_or_default(),
            path,
        })
        .collect()
}

/// Names that the paths in this code start with, crates, `crate` and `super` among them: each `name::` that nothing
/// qualifies on its line (so members of a group too), and each `use name;`.
pub(super) fn heads(code: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(at) = rest.find("::") {
            let (before, after) = rest.split_at(at);
            let name = trailing_word(before);
            let qualified = before.strip_suffix(name).is_some_and(|left| {
                left.ends_with("::") || left.ends_with('$') || left.ends_with('>')
            });
            if !name.is_empty() && !qualified {
                found.push(mention(number, name));
            }
            rest = skip_path(after);
        }
        let used = line
            .trim()
            .trim_start_matches("pub ")
            .strip_prefix("use ")
            .and_then(|line| line.strip_suffix(';'));
        if let Some(name) = used.filter(|name| !name.contains(':')) {
            let name = name.split(' ').next().unwrap_or(name);
            found.push(mention(number, name));
        }
    }
    found
}

/// Rooms that the code names by `<crate_name>::<room>`, groups like `crate::{a::b, c}` included.
pub(super) fn rooms_named(code: &str, crate_name: &str) -> Vec<Mention> {
    let prefix = format!("{crate_name}::");
    let mut found = Vec::new();
    for (at, _) in code.match_indices(&prefix) {
        let before = code.get(..at).unwrap_or_default();
        if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$' || c == ':') {
            continue;
        }
        let line = before.matches('\n').count();
        let after = code.get(at + prefix.len()..).unwrap_or_default();
        if let Some(group) = after.strip_prefix('{') {
            found.extend(
                group_members(group)
                    .into_iter()
                    .map(|(below, name)| Mention {
                        line: line + 1 + below,
                        name,
                    }),
            );
        } else {
            found.push(mention(line, leading_word(after)));
        }
    }
    found
}

/// Most `super` in a row that a path of this code starts with, with the line of each such path.
pub(super) fn supers(code: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(at) = rest.find("super::") {
            let mut count = 0;
            let mut after = rest.get(at..).unwrap_or_default();
            while let Some(next) = after.strip_prefix("super::") {
                count += 1;
                after = next;
            }
            found.push((number + 1, count));
            rest = after;
        }
    }
    found
}

/// Lines on which a `derive` attribute names one of the traits.
pub(super) fn derives(code: &str, traits: &[&str]) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("derive(") {
        let after = code.get(at..).unwrap_or_default();
        let list = after.split(')').next().unwrap_or_default();
        let named = list
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| traits.contains(&word));
        if named {
            found.push(code.get(..at).unwrap_or_default().matches('\n').count() + 1);
        }
    }
    found
}

fn mention(line_index: usize, name: &str) -> Mention {
    Mention {
        line: line_index + 1,
        name: name.to_owned(),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn trailing_word(text: &str) -> &str {
    let start = text.trim_end_matches(is_word).len();
    text.get(start..).unwrap_or_default()
}

fn leading_word(text: &str) -> &str {
    let rest = text.trim_start_matches(is_word).len();
    text.get(..text.len() - rest).unwrap_or_default()
}

/// What follows the path that starts with `::` here.
fn skip_path(mut text: &str) -> &str {
    while let Some(after) = text.strip_prefix("::") {
        text = after.trim_start_matches(is_word);
    }
    text
}

/// First segments of the members of a `use` group, with the lines below its start.
fn group_members(group: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut depth, mut line, mut at_start) = (1, 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            '\n' => line += 1,
            ',' if depth == 1 => at_start = true,
            c if at_start && is_word(c) => {
                let rest = group.get(at..).unwrap_or_default();
                found.push((line, leading_word(rest).to_owned()));
                at_start = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// Everything before the test module, which stands last in a file (style A11).
fn without_tests(code: &str) -> &str {
    let mut from = 0;
    while let Some(at) = code.get(from..).and_then(|rest| rest.find("#[cfg(test)]")) {
        let attribute = from + at;
        let rest = code
            .get(attribute + "#[cfg(test)]".len()..)
            .unwrap_or_default();
        let item = rest.trim_start();
        if item.starts_with("mod ") && !item.lines().next().unwrap_or_default().ends_with(';') {
            return code.get(..attribute).unwrap_or_default();
        }
        from = attribute + 1;
    }
    code
}

/// Blanks comments, strings and character literals; lines stay where they were.
pub(super) fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = token_to_blank(rest, trailing_word(&out).is_empty());
        if length == 0 {
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        }
        let token = rest.get(..length).unwrap_or(rest);
        out.extend(token.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = rest.get(token.len()..).unwrap_or_default();
    }
    out
}

/// Length in bytes of the comment or literal that starts here; 0 if none does.
fn token_to_blank(text: &str, at_word_start: bool) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return comment_length(text);
    }
    if text.starts_with('"') {
        return string_length(text);
    }
    if text.starts_with('\'') {
        return char_length(text);
    }
    let raw = text.trim_start_matches('b');
    if at_word_start && raw.starts_with('r') && text.len() - raw.len() <= 1 {
        let hashes = raw.get(1..).unwrap_or_default();
        let count = hashes.len() - hashes.trim_start_matches('#').len();
        if hashes.trim_start_matches('#').starts_with('"') {
            let end = format!("\"{}", "#".repeat(count));
            let open = text.len() - raw.len() + count + 2;
            let body = text.get(open..).unwrap_or_default();
            return body
                .find(&end)
                .map_or(text.len(), |at| open + at + end.len());
        }
    }
    0
}

fn comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A lifetime has no closing quote right after its first character; an escape is always a literal.
fn char_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            let rest = text.get(from..).unwrap_or_default();
            rest.find('\'').map_or(0, |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

#[test]
fn comments_and_literals_are_blank_and_lines_stay() {
    let code =
        blank("a /* x::y\n/* in */ */ b // c::d\n\"e::\\\"f\" r#\"g\"::h\"# 'i' '\\'' &'j k");
    assert_eq!(code.lines().count(), 3);
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words, ["a", "b", "&'j", "k"]);
}

#[test]
fn the_scanner_sees_groups_qualified_paths_and_supers() {
    let code = "use crate::{store, docker::client,\n  api::{a, b}};\nlet x = crate::cli::run();\nuse sqlx;\nfoo::tokio::x(); super::super::y();";
    let named: Vec<(usize, String)> = rooms_named(code, "crate")
        .into_iter()
        .map(|m| (m.line, m.name))
        .collect();
    let expected = [(1, "store"), (1, "docker"), (2, "api"), (3, "cli")];
    assert_eq!(named, expected.map(|(line, name)| (line, name.to_owned())));
    let crates: Vec<String> = heads(code).into_iter().map(|m| m.name).collect();
    assert_eq!(
        crates,
        ["crate", "docker", "api", "crate", "sqlx", "foo", "super"]
    );
    assert_eq!(supers(code), [(5, 2)]);
    assert_eq!(
        derives("x\n#[derive(Debug,\n serde::Serialize)]", &["Serialize"]),
        [2]
    );
}

#[test]
fn test_modules_do_not_count_and_later_code_does() {
    let source = |text: &str| Source {
        path: "src/a/b.rs".to_owned(),
        text: text.to_owned(),
    };
    assert_eq!(source("x\n#[cfg(test)]\nmod tests {\n y }").code(), "x\n");
    assert!(source("#[cfg(test)]\nmod tests;\nz").code().contains('z'));
}
