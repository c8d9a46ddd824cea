//! `dockerConfig.config`: Docker's `Config` into the words of task definitions.

use serde_json::{Map, Value, json};

use super::tree::{Members, pairs, put, put_some, take, take_list};

/// Members that follow from others.
const OF_NO_USE: [&str; 6] = [
    "ExposedPorts",
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    "StdinOnce",
    "Image",
];

/// Names that only differ.
const SAME: [(&str, &str); 8] = [
    ("User", "user"),
    ("WorkingDir", "workingDirectory"),
    ("Hostname", "hostname"),
    ("NetworkDisabled", "disableNetworking"),
    ("OpenStdin", "interactive"),
    ("Tty", "pseudoTerminal"),
    ("Cmd", "command"),
    ("Entrypoint", "entryPoint"),
];

/// Lays it over the container: what it says counts.
pub(super) fn overlay(
    mut config: Members,
    at: &str,
    tree: &mut Members,
    ignored: &mut Vec<String>,
) {
    for (docker, ecs) in SAME {
        put_some(tree, ecs, take(&mut config, docker));
    }
    if let Some(labels) = take(&mut config, "Labels") {
        put(tree, "dockerLabels", labels);
    }
    // A list here replaces the whole environment (reference agent).
    if config.get("Env").is_some_and(Value::is_array) {
        let list = take_list(&mut config, "Env").into_iter();
        let mut environment = Map::new();
        for item in list {
            let (name, value) = item
                .as_str()
                .and_then(|text| text.split_once('='))
                .unwrap_or_default();
            environment.insert(name.to_owned(), value.into());
        }
        environment.remove("");
        put(tree, "environment", pairs(&environment, "name"));
    }
    if let Some(Value::Object(check)) = take(&mut config, "Healthcheck") {
        put_some(tree, "healthCheck", health(check));
    }
    for name in OF_NO_USE {
        config.remove(name);
    }
    let left = config.into_iter().filter(|(_, value)| !value.is_null());
    ignored.extend(left.map(|(name, _)| format!("{at}.dockerConfig.config.{name}")));
}

/// Docker counts in nanoseconds; without a test there is no check.
fn health(mut check: Members) -> Option<Value> {
    let test = take(&mut check, "Test")?;
    let mut out = Members::new();
    put(&mut out, "command", test);
    for (docker, ecs) in [
        ("Interval", "interval"),
        ("Timeout", "timeout"),
        ("StartPeriod", "startPeriod"),
    ] {
        let nanos = check
            .get(docker)
            .and_then(Value::as_u64)
            .filter(|nanos| *nanos > 0);
        put_some(
            &mut out,
            ecs,
            nanos.map(|nanos| nanos.div_ceil(1_000_000_000)),
        );
    }
    let retries = check
        .get("Retries")
        .and_then(Value::as_u64)
        .filter(|count| *count > 0);
    put_some(&mut out, "retries", retries);
    Some(json!(out))
}
