//! How the tests of whole documents are written: a document, or the fields of its one container, and the findings it
//! gives.

use crate::definition::{Finding, ParseOptions, Parsed, parse};

pub(super) fn options(variables: &[(&str, &str)]) -> ParseOptions {
    ParseOptions {
        variables: variables
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        family_hint: None,
    }
}

pub(super) fn good(text: &str) -> Parsed {
    parse(text.as_bytes(), &options(&[])).unwrap_or_else(|rejected| panic!("{rejected}"))
}

pub(super) fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

pub(super) fn refusal(text: &str) -> Vec<String> {
    lines(&parse(text.as_bytes(), &options(&[])).unwrap_err().findings)
}

/// A task of one container `web` with these further fields.
pub(super) fn with_container(fields: &str) -> String {
    with_task("", fields)
}

/// The same with further fields of the task.
pub(super) fn with_task(task_fields: &str, container_fields: &str) -> String {
    let comma = |fields: &str| if fields.is_empty() { "" } else { ", " }.to_owned() + fields;
    format!(
        r#"{{"family": "f", "memory": "512"{}, "containerDefinitions": [
            {{"name": "web", "image": "nginx"{}}}]}}"#,
        comma(task_fields),
        comma(container_fields)
    )
}

/// Each container field list gives exactly these findings.
pub(super) fn check(cases: &[(&str, &[&str])]) {
    for (fields, expected) in cases {
        check_text(&with_container(fields), expected);
    }
}

pub(super) fn check_text(text: &str, expected: &[&str]) {
    let found = match parse(text.as_bytes(), &options(&[])) {
        Ok(parsed) => lines(&parsed.warnings),
        Err(rejected) => lines(&rejected.findings),
    };
    let prefix = "containerDefinitions[0].";
    let found: Vec<String> = found
        .iter()
        .map(|line| line.replacen(prefix, "", 1))
        .collect();
    assert_eq!(found, *expected, "{text}");
}
