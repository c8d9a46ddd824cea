//! Log lines: each from `info` on has an event id, and the operators' page lists them all.

use std::collections::BTreeSet;
use std::fs;

use super::source;

/// The page with the table.
const PAGE: &str = "docs/operating.md";

/// Macros whose lines have an id.
const MACROS: &[&str] = &["info!(", "warn!(", "error!("];

/// Ids that are made elsewhere than as a field of a macro.
const OTHERS: &[&str] = &[
    "log-lines-left-out",
    "credentials-vended",
    "credentials-refused",
];

/// Each call of a logging macro: line number and its text up to the end of the call.
fn calls(code: &str, text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        for name in MACROS {
            for (at, _) in line.match_indices(name) {
                let before = line.get(..at).unwrap_or_default();
                if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                let call = lines.iter().skip(number).copied();
                let call: Vec<&str> = call.collect();
                let call = call.join("\n");
                let from = call.find(name).unwrap_or_default();
                let call = call.get(from..).unwrap_or_default();
                let end = call.find(")\n").or(call.find(");")).unwrap_or(call.len());
                let end = end.min(call.find(");").unwrap_or(call.len()));
                found.push((number + 1, call.get(..end).unwrap_or_default().to_owned()));
            }
        }
    }
    found
}

/// The id that a call gives as text; `None` = it gives none, or makes it when it runs.
fn id_of(call: &str) -> Option<&str> {
    let (_, after) = call.split_once("event = \"")?;
    after.split('"').next()
}

#[test]
fn every_line_from_info_on_has_an_event_id_that_the_page_lists() {
    let page = fs::read_to_string(source::root().join(PAGE)).unwrap_or_default();
    let mut used: BTreeSet<String> = OTHERS.iter().map(|id| (*id).to_owned()).collect();
    let mut wrong = Vec::new();
    for source in source::sources_below("src") {
        if source.path.starts_with("src/testing/") {
            continue;
        }
        for (line, call) in calls(&source.code(), &source.text) {
            let made = call.contains("event,") || call.contains("event = ");
            match id_of(&call) {
                Some(id) => drop(used.insert(id.to_owned())),
                None if made => {}
                None => wrong.push(format!("{}:{line}: no `event`: {call}", source.path)),
            }
        }
    }
    for id in &used {
        if !page.contains(&format!("\n| `{id}` | ")) {
            wrong.push(format!("{PAGE} does not list {id}"));
        }
    }
    let listed = page.lines().filter_map(|line| {
        let id = line.strip_prefix("| `")?.split('`').next()?;
        id.chars()
            .all(|c| c.is_ascii_lowercase() || c == '-')
            .then_some(id)
    });
    for id in listed.filter(|id| !used.contains(*id)) {
        wrong.push(format!("{PAGE} lists {id}, which nothing writes"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(used.len() > 40, "{used:?}");
}

#[test]
fn a_line_without_an_id_is_found() {
    let text = "fn a() {\n    warn!(\n        error,\n        \"bad\"\n    );\n    info!(event = \"x\", \"y\");\n}";
    let found = calls(text, text);
    let ids: Vec<_> = found
        .iter()
        .map(|(line, call)| (*line, id_of(call)))
        .collect();
    assert_eq!(ids, [(2, None), (6, Some("x"))]);
}
