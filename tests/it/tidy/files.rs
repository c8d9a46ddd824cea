//! Files: each says why it exists, each is reached, each is numbered and free of what must not be committed.

use std::fs;

use super::modules;
use super::source::{self, Source};

/// What no committed file may hold, each with the reason. Written in pieces, so that this file holds none of them.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("TO", "DO"), "unfinished"),
    (concat!("FIX", "ME"), "unfinished"),
];

/// Folders and files with text that is written here.
const WRITTEN: &[&str] = &[
    ".ci",
    "benches",
    "deploy",
    "docs",
    "examples",
    "migrations",
    "openapi",
    "src",
    "tests",
    "tools",
];
const WRITTEN_AT_ROOT: &[&str] = &[
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.toml",
    "Makefile",
    "README.md",
    "clippy.toml",
    "deny.toml",
];

const ADR_PARTS: &[&str] = &["## Context", "## Options", "## Decision", "## Consequences"];

fn read(path: &str) -> String {
    // Files that are not text (fixture databases) have no words to look for.
    fs::read_to_string(source::root().join(path)).unwrap_or_default()
}

fn rust_sources() -> Vec<Source> {
    let mut all = source::sources_below("src");
    all.extend(source::sources_below("tests"));
    all.extend(source::sources_below("benches"));
    all
}

/// Whether the names start with 0001, 0002, … without a gap; the first that does not, else.
fn first_gap(names: &[String]) -> Option<String> {
    names.iter().enumerate().find_map(|(index, name)| {
        let wanted = format!("{:04}", index + 1);
        let good = name
            .strip_prefix(wanted.as_str())
            .is_some_and(|rest| rest.starts_with(['-', '_']));
        (!good).then(|| format!("{name}: number {wanted} was expected"))
    })
}

/// Names of the files right in a folder that end so, in order.
fn names_in(folder: &str, end: &str) -> Vec<String> {
    let prefix = format!("{folder}/");
    source::files_below(folder)
        .iter()
        .filter_map(|path| path.strip_prefix(prefix.as_str()))
        .filter(|name| !name.contains('/') && name.ends_with(end))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn each_source_says_first_why_it_exists() {
    let bad: Vec<String> = rust_sources()
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.path)
        .collect();
    assert!(bad.is_empty(), "without a `//!` line at the top: {bad:#?}");
}

#[test]
fn each_source_is_reached_by_mod_lines() {
    let benches = names_in("benches", ".rs");
    let mut roots = vec![
        "src/lib.rs".to_owned(),
        "src/main.rs".to_owned(),
        "tests/it/main.rs".to_owned(),
    ];
    roots.extend(benches.iter().map(|name| format!("benches/{name}")));
    let roots: Vec<&str> = roots.iter().map(String::as_str).collect();
    let bad = modules::dead(&rust_sources(), &roots);
    assert!(bad.is_empty(), "no `mod` line leads to: {bad:#?}");
}

#[test]
fn a_module_folder_holds_its_own_mod_file() {
    let sources = rust_sources();
    let bad: Vec<&str> = sources
        .iter()
        .map(|source| source.path.as_str())
        .filter(|path| {
            let beside = format!("{}/mod.rs", path.trim_end_matches(".rs"));
            sources.iter().any(|source| source.path == beside)
        })
        .collect();
    assert!(
        bad.is_empty(),
        "a file beside the folder of its name: {bad:#?}"
    );
}

#[test]
fn migrations_are_numbered_without_gaps() {
    assert_eq!(first_gap(&names_in("migrations", ".sql")), None);
}

#[test]
fn decision_records_are_numbered_and_complete() {
    let names = names_in("docs/adr", ".md");
    assert!(!names.is_empty(), "docs/adr has records");
    assert_eq!(first_gap(&names), None);
    for name in names {
        let text = read(&format!("docs/adr/{name}"));
        let missing: Vec<&&str> = ADR_PARTS
            .iter()
            .filter(|part| !text.contains(**part))
            .collect();
        assert!(missing.is_empty(), "docs/adr/{name} lacks {missing:?}");
    }
}

#[test]
fn nothing_is_committed_that_belongs_to_one_machine_or_is_unfinished() {
    let mut paths: Vec<String> = WRITTEN
        .iter()
        .flat_map(|folder| source::files_below(folder))
        .collect();
    paths.extend(WRITTEN_AT_ROOT.iter().map(|&name| name.to_owned()));
    let mut bad = Vec::new();
    for path in paths.iter().filter(|path| !path.contains("__pycache__")) {
        for (index, line) in read(path).lines().enumerate() {
            for (word, why) in FORBIDDEN.iter().filter(|(word, _)| line.contains(word)) {
                bad.push(format!("{path}:{}: {word} ({why})", index + 1));
            }
        }
    }
    assert!(
        bad.is_empty(),
        "words that must not be committed:\n{}",
        bad.join("\n")
    );
}

#[test]
fn relative_links_of_documents_lead_somewhere() {
    let mut documents = source::files_below("docs");
    documents.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned));
    let mut bad = Vec::new();
    for path in documents
        .iter()
        .filter(|path| source::has_extension(path, "md"))
    {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let text = read(path);
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let target = target.split('#').next().unwrap_or_default();
            let outside = target.contains("://") || target.is_empty();
            if !outside && !source::root().join(folder).join(target).exists() {
                bad.push(format!("{path}: {target}"));
            }
        }
    }
    assert!(bad.is_empty(), "links to nothing: {bad:#?}");
}

#[test]
fn a_gap_in_numbers_is_found() {
    let names = ["0001_a.sql", "0003_b.sql"].map(str::to_owned);
    assert_eq!(
        first_gap(&names),
        Some("0003_b.sql: number 0002 was expected".to_owned())
    );
    assert_eq!(first_gap(&["0001-a.md".to_owned()]), None);
}
