//! The rules of promtool's `check metrics`, as a function of the text: tests only.

use std::collections::{BTreeMap, BTreeSet};

/// Everything that the rules find fault with.
pub(super) fn lint(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut helps, mut types) = (BTreeMap::new(), BTreeMap::new());
    let mut series = BTreeSet::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(name), Some(help)) => {
                if helps.insert(name.to_owned(), help.to_owned()).is_some() {
                    faults.push(format!("{name}: second HELP"));
                }
            }
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                if types.insert(name.to_owned(), kind.to_owned()).is_some() {
                    faults.push(format!("{name}: second TYPE"));
                }
            }
            (Some("#"), _, _, _) => faults.push(format!("a comment that says nothing: {line}")),
            _ => {
                let (name, value) = line.rsplit_once(' ').unwrap_or((line, ""));
                if value.parse::<f64>().is_err() {
                    faults.push(format!("{line}: no number"));
                }
                if !series.insert(name.to_owned()) {
                    faults.push(format!("{name}: twice"));
                }
            }
        }
    }
    for (name, kind) in &types {
        faults.extend(of_family(name, kind));
        if helps.get(name).is_none_or(String::is_empty) {
            faults.push(format!("{name}: no help text"));
        }
    }
    let shown = series.iter().filter_map(|series| series.split('{').next());
    let has_family = |name: &str| {
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        let histogram =
            base.is_some_and(|base| types.get(base).is_some_and(|kind| kind == "histogram"));
        types.contains_key(name) || histogram
    };
    faults.extend(
        shown
            .filter(|name| !has_family(name))
            .map(|name| format!("{name}: no TYPE")),
    );
    faults
}

fn of_family(name: &str, kind: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |why: &str| faults.push(format!("{name}: {why}"));
    if kind == "counter" && !name.ends_with("_total") {
        fault("a counter must end in _total");
    }
    if kind != "counter" && name.ends_with("_total") {
        fault("only a counter may end in _total");
    }
    if kind != "histogram"
        && kind != "summary"
        && (name.ends_with("_count") || name.ends_with("_sum"))
    {
        fault("must not look like part of a histogram");
    }
    if kind != "histogram" && name.ends_with("_bucket") {
        fault("must not look like part of a histogram");
    }
    if name.chars().any(|letter| letter.is_ascii_uppercase()) || name.contains(':') {
        fault("must be in snake case without colons");
    }
    for word in name.split('_') {
        if ["gauge", "counter", "histogram", "summary"].contains(&word) {
            fault("must not name its type");
        }
        let small_units = [
            "milliseconds",
            "ms",
            "minutes",
            "hours",
            "kilobytes",
            "megabytes",
            "percent",
        ];
        if small_units.contains(&word) {
            fault("must use a base unit");
        }
        if ["s", "sec", "secs", "b", "mem", "msg"].contains(&word) {
            fault("must not abbreviate");
        }
    }
    faults
}

#[test]
fn each_rule_finds_what_it_is_for() {
    for (text, found) in [
        (
            "# HELP a_total Things.\n# TYPE a_total counter\na_total 1",
            "",
        ),
        (
            "# HELP a Things.\n# TYPE a counter\na 1",
            "a: a counter must end in _total",
        ),
        ("# TYPE a gauge\na 1", "a: no help text"),
        ("a 1", "a: no TYPE"),
        (
            "# HELP a_ms Time.\n# TYPE a_ms gauge\na_ms 1",
            "a_ms: must use a base unit",
        ),
        ("# HELP a Things.\n# TYPE a gauge\na 1\na 2", "a: twice"),
        ("# HELP a Things.\n# TYPE a gauge\na x", "a x: no number"),
    ] {
        assert_eq!(lint(text).join("; "), found);
    }
}
