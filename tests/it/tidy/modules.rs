//! The tree of modules, by the `mod` lines: which files are reached, and which of them only in tests.

use std::collections::BTreeSet;

use super::source::Source;

/// Sources that no chain of `mod` lines from one of the roots leads to.
pub(super) fn dead(sources: &[Source], roots: &[&str]) -> Vec<String> {
    let reached = reached(sources, roots, true);
    let all = sources.iter().map(|source| source.path.clone());
    all.filter(|path| !reached.contains(path)).collect()
}

/// Paths of the sources that are compiled into the program itself: reached without a module for tests.
pub(super) fn of_the_program(sources: &[Source], roots: &[&str]) -> BTreeSet<String> {
    reached(sources, roots, false)
}

/// Whether the name is that of a module beside or below this source, rather than of a foreign crate.
pub(super) fn is_near(source: &Source, name: &str, sources: &[Source]) -> bool {
    let folder = source
        .path
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    let below = source.path.trim_end_matches(".rs");
    [folder, below].iter().any(|place| {
        let (file, module) = (
            format!("{place}/{name}.rs"),
            format!("{place}/{name}/mod.rs"),
        );
        sources
            .iter()
            .any(|other| other.path == file || other.path == module)
    })
}

fn reached(sources: &[Source], roots: &[&str], with_tests: bool) -> BTreeSet<String> {
    let mut open: Vec<String> = roots.iter().map(|&root| root.to_owned()).collect();
    let mut reached = BTreeSet::new();
    while let Some(path) = open.pop() {
        let Some(source) = sources.iter().find(|source| source.path == path) else {
            continue;
        };
        if reached.insert(path) {
            let below = children(source).into_iter();
            open.extend(
                below
                    .filter(|child| with_tests || !child.for_tests)
                    .map(|child| child.path),
            );
        }
    }
    reached
}

struct Child {
    path: String,
    for_tests: bool,
}

/// Files that the `mod` lines of this one name; of the two places that a module can be at, both.
fn children(source: &Source) -> Vec<Child> {
    let folder = source
        .path
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    let stem = source.file_name().trim_end_matches(".rs");
    let below = match stem {
        "mod" | "lib" | "main" => folder.to_owned(),
        _ => format!("{folder}/{stem}"),
    };
    let mut found = Vec::new();
    let (mut for_tests, mut elsewhere) = (false, None);
    for line in source.text.lines().map(str::trim) {
        if let Some(attribute) = line.strip_prefix("#[") {
            for_tests |=
                attribute.starts_with("cfg(test)") || attribute.starts_with("cfg(any(test,");
            elsewhere = attribute
                .strip_prefix("path = \"")
                .and_then(|rest| rest.strip_suffix("\"]"))
                .or(elsewhere);
            continue;
        }
        if let Some(name) = declared(line) {
            let paths = match elsewhere {
                Some(path) => vec![format!("{folder}/{path}")],
                None => vec![
                    format!("{below}/{name}.rs"),
                    format!("{below}/{name}/mod.rs"),
                ],
            };
            found.extend(paths.into_iter().map(|path| Child { path, for_tests }));
        }
        (for_tests, elsewhere) = (false, None);
    }
    found
}

/// Name of the module that the line declares in another file.
fn declared(line: &str) -> Option<&str> {
    let (visibility, name) = line.split_once("mod ")?;
    let plain = visibility.is_empty() || visibility.starts_with("pub");
    name.strip_suffix(';').filter(|_| plain)
}

#[test]
fn dead_files_and_files_for_tests_are_told_apart() {
    let source = |path: &str, text: &str| Source {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let sources = [
        source(
            "src/lib.rs",
            "pub mod a;\n#[path = \"os/linux.rs\"]\nmod os;",
        ),
        source("src/a/mod.rs", "pub(crate) mod b;"),
        source("src/a/b.rs", "mod c;\n#[cfg(test)]\nmod tests;"),
        source("src/a/b/c.rs", ""),
        source("src/a/b/tests.rs", ""),
        source("src/os/linux.rs", ""),
        source("src/a/dead.rs", ""),
    ];
    assert_eq!(dead(&sources, &["src/lib.rs"]), ["src/a/dead.rs"]);
    let program = of_the_program(&sources, &["src/lib.rs"]);
    let expected = [
        "src/a/b.rs",
        "src/a/b/c.rs",
        "src/a/mod.rs",
        "src/lib.rs",
        "src/os/linux.rs",
    ];
    assert_eq!(program.into_iter().collect::<Vec<_>>(), expected);
}
