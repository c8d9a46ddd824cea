//! The table of conformance and the tests say the same: a number that a test names has the test in its row, and a test
//! that a row names exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::source;

/// The page with the table.
const PAGE: &str = "docs/conformance.md";

/// How many checks the specification has.
const CHECKS: u16 = 144;

/// A function and the numbers of checks that its name and its documentation name.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    function: String,
    checks: BTreeSet<u16>,
}

/// `check_088_to_090_and_104_…` names 88, 89, 90 and 104.
fn in_name(name: &str) -> BTreeSet<u16> {
    let mut found = BTreeSet::new();
    let Some(rest) = name.strip_prefix("check_") else {
        return found;
    };
    let mut from = None;
    for word in rest.split('_') {
        match (word.parse::<u16>(), word) {
            (Ok(number), _) if word.len() == 3 => {
                found.extend(from.take().unwrap_or(number)..=number);
            }
            (_, "and") => {}
            (_, "to") => from = found.last().copied(),
            _ => break,
        }
    }
    found
}

/// `CP-004, 008 and 015` names three.
fn in_documentation(text: &str) -> BTreeSet<u16> {
    let mut found = BTreeSet::new();
    for part in text.split("CP-").skip(1) {
        let words = part.split(|c: char| !c.is_ascii_alphanumeric());
        let words = words.filter(|word| !word.is_empty() && *word != "and");
        found.extend(words.map_while(|word| word.parse::<u16>().ok().filter(|_| word.len() == 3)));
    }
    found
}

/// Every function of the text.
fn functions(text: &str) -> Vec<Named> {
    let mut found = Vec::new();
    let mut documentation = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            documentation.push_str(words);
            continue;
        }
        if let Some((before, after)) = line.split_once("fn ")
            && before
                .split(' ')
                .all(|word| ["", "async", "pub", "pub(crate)", "pub(super)"].contains(&word))
        {
            let end = after.find(|c: char| !c.is_alphanumeric() && c != '_');
            let name = after.get(..end.unwrap_or(after.len())).unwrap_or_default();
            let mut checks = in_name(name);
            checks.extend(in_documentation(&documentation));
            found.push(Named {
                function: name.to_owned(),
                checks,
            });
        }
        if !line.starts_with("#[") {
            documentation.clear();
        }
    }
    found
}

/// The rows: number, and the names in backticks of the last column, which begins with `not done:` where there are none.
fn rows(page: &str) -> Vec<(u16, Result<BTreeSet<String>, String>)> {
    let cells = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let number = cells.get(1)?.strip_prefix("CP-")?.parse().ok()?;
        Some((number, *cells.get(3)?))
    });
    let read = cells.map(|(number, cell)| {
        if let Some(reason) = cell.strip_prefix("not done: ") {
            return (number, Err(reason.to_owned()));
        }
        let tests = cell.split(" (").next().unwrap_or_default();
        let names = tests.split('`').skip(1).step_by(2);
        (number, Ok(names.map(ToOwned::to_owned).collect()))
    });
    read.collect()
}

fn all_functions() -> Vec<Named> {
    let mut sources = source::sources_below("src");
    sources.extend(source::sources_below("tests"));
    sources.retain(|source| source.path != "tests/it/tidy/conformance.rs");
    sources
        .iter()
        .flat_map(|source| functions(&source.text))
        .collect()
}

#[test]
fn every_check_has_a_row_with_a_test_or_a_reason() {
    let page = fs::read_to_string(source::root().join(PAGE)).unwrap_or_default();
    let rows = rows(&page);
    let numbers: Vec<u16> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=CHECKS).collect::<Vec<_>>());
    let bad = rows.iter().filter(|(_, row)| match row {
        Ok(tests) => tests.is_empty(),
        Err(reason) => reason.is_empty(),
    });
    assert_eq!(bad.count(), 0);
    let done = rows.iter().filter(|(_, row)| row.is_ok()).count();
    let said = format!("{done} of the {CHECKS} checks have a test");
    assert!(page.contains(&said), "{PAGE} does not say: {said}");
}

#[test]
fn tests_and_rows_name_each_other() {
    let page = fs::read_to_string(source::root().join(PAGE)).unwrap_or_default();
    let rows: BTreeMap<_, _> = rows(&page).into_iter().collect();
    let functions = all_functions();
    let mut wrong = Vec::new();
    for Named { function, checks } in &functions {
        for check in checks {
            let listed = rows.get(check).and_then(|row| row.as_ref().ok());
            if !listed.is_some_and(|tests| tests.contains(function)) {
                wrong.push(format!("{function} is not in the row of CP-{check:03}"));
            }
        }
    }
    let known: BTreeSet<&str> = functions.iter().map(|it| it.function.as_str()).collect();
    for (check, row) in &rows {
        let tests = row.iter().flatten();
        let missing = tests.filter(|test| !known.contains(test.as_str()));
        wrong.extend(missing.map(|test| format!("CP-{check:03}: there is no {test}")));
    }
    assert!(wrong.is_empty(), "{PAGE}:\n{}", wrong.join("\n"));
}

#[test]
fn numbers_are_found_in_names_and_documentation() {
    let text = "/// CP-004, 008 and 015: words of 100.\n#[test]\nasync fn a() {\n}\nfn check_088_to_090_and_104_b() {";
    let found = functions(text);
    let found: Vec<(&str, Vec<u16>)> = found
        .iter()
        .map(|it| (it.function.as_str(), it.checks.iter().copied().collect()))
        .collect();
    let expected = [
        ("a", vec![4, 8, 15]),
        ("check_088_to_090_and_104_b", vec![88, 89, 90, 104]),
    ];
    assert_eq!(found, expected);
    let row = "| CP-007 | x | `a`, `b` (not `c`) |\n| CP-008 | y | not done: z |";
    let expected = [
        (7, Ok(["a".to_owned(), "b".to_owned()].into())),
        (8, Err("z".to_owned())),
    ];
    assert_eq!(rows(row), expected);
}
