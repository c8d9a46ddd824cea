//! A container's health check.

use std::time::Duration;

use super::reader::{Cursor, Kind, quote};
use super::sizes::Quantity;
use crate::domain::definition::HealthCheck;

static HEALTH_CHECK: Kind = Kind {
    name: "a health check",
    fields: &["command", "interval", "timeout", "retries", "startPeriod"],
    ignored: &[],
    sibling: None,
};

/// Reads `healthCheck`, with ECS' bounds and defaults.
pub(super) fn read(cursor: &Cursor<'_>) -> Option<HealthCheck> {
    let object = cursor.object(&HEALTH_CHECK)?;
    let command = object.required("command").map(|cursor| {
        let words: Vec<String> = cursor
            .items()
            .iter()
            .filter_map(Cursor::free_text)
            .collect();
        check_command(cursor, &words);
        words
    });
    let secs = |name, range, default: u32| {
        let secs = object
            .number(name, Quantity::Count, range)
            .unwrap_or(default);
        Duration::from_secs(secs.into())
    };
    let interval = secs("interval", 5..=300, 30);
    let timeout = secs("timeout", 2..=120, 5);
    let start_period = secs("startPeriod", 0..=300, 0);
    let retries = object
        .number("retries", Quantity::Count, 1..=10)
        .unwrap_or(3);
    Some(HealthCheck {
        command: command?,
        interval,
        timeout,
        retries,
        start_period,
    })
}

/// Docker runs a check only if its first word says how; of any other it takes no notice, so that the container would
/// never become healthy.
fn check_command(cursor: &Cursor<'_>, words: &[String]) {
    let Some((first, rest)) = words.split_first() else {
        return;
    };
    match first.as_str() {
        "NONE" => {}
        "CMD-SHELL" if rest.len() > 1 => cursor.rule(format!(
            "must be CMD-SHELL and one text for the shell, has {}: join them, or write CMD",
            rest.len()
        )),
        "CMD" | "CMD-SHELL" => {
            if rest.is_empty() {
                cursor.rule(format!("is {first} alone: the command is missing"));
            }
        }
        _ => cursor.rule(format!(
            "must begin with CMD, CMD-SHELL or NONE, begins with {}: write {}",
            quote(first),
            meant(first, !rest.is_empty())
        )),
    }
}

/// What a check whose first word does not say how it is run was meant to be. Some write the whole list as one text.
fn meant(first: &str, more: bool) -> String {
    let upper = first.to_ascii_uppercase();
    let keyword = ["CMD-SHELL", "CMD", "NONE"].into_iter().find(|keyword| {
        let rest = upper.strip_prefix(keyword);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([',', ' ']))
    });
    let text = first
        .get(keyword.map_or(0, str::len)..)
        .unwrap_or_default()
        .trim_start_matches([',', ' ']);
    if let Some(keyword) = keyword.filter(|_| text.is_empty()) {
        return keyword.to_owned();
    }
    let shell = |text: &str| format!("[\"CMD-SHELL\", {}]", quote(text));
    match text.split_once(',') {
        Some((program, line)) if !program.contains(' ') => {
            let line = line.trim();
            if program.ends_with("sh") && !line.starts_with('-') {
                return shell(line);
            }
            let words = text.split(',').map(|word| quote(word.trim()));
            format!("[\"CMD\", {}]", words.collect::<Vec<_>>().join(", "))
        }
        _ if text.contains(' ') => shell(text),
        _ => {
            let more = if more { ", …" } else { "" };
            format!("[\"CMD\", {}{more}]", quote(text))
        }
    }
}
