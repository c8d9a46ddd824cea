//! Log configuration and FireLens.

use super::environment;
use super::reader::{Cursor, Kind, quote};
use super::suggest;
use crate::domain::definition::LogConfiguration;

static LOG_CONFIGURATION: Kind = Kind {
    name: "a log configuration",
    fields: &["logDriver", "options", "secretOptions"],
    ignored: &[],
    sibling: None,
};

static FIRELENS: Kind = Kind {
    name: "a FireLens configuration",
    fields: &["type"],
    ignored: &["options"],
    sibling: None,
};

/// Drivers that ECS or Docker know by name; plugins have names of their own.
const DRIVERS: [&str; 12] = [
    "awsfirelens",
    "awslogs",
    "etwlogs",
    "fluentd",
    "gcplogs",
    "gelf",
    "journald",
    "json-file",
    "local",
    "none",
    "splunk",
    "syslog",
];

/// Reads `logConfiguration`.
pub(super) fn read(cursor: &Cursor<'_>) -> Option<LogConfiguration> {
    let object = cursor.object(&LOG_CONFIGURATION)?;
    let driver = object.required("logDriver").and_then(read_driver);
    let options = object.map("options");
    let secret_options = environment::read_secrets(&object, "secretOptions");
    Some(LogConfiguration {
        driver: driver?,
        options,
        secret_options,
    })
}

/// Reads the type of `firelensConfiguration`.
pub(super) fn read_firelens(cursor: &Cursor<'_>) -> Option<String> {
    cursor
        .object(&FIRELENS)?
        .required("type")?
        .choice(&[("fluentd", "fluentd"), ("fluentbit", "fluentbit")])
        .map(str::to_owned)
}

fn read_driver(cursor: &Cursor<'_>) -> Option<String> {
    let text = cursor.text()?;
    if DRIVERS.contains(&text.as_str()) {
        return Some(text);
    }
    match suggest::same_letters(&text, DRIVERS) {
        Some(meant) => cursor.rule(format!("is written {}, ECS reads {meant}", quote(&text))),
        None => cursor.warn(format!(
            "{} is no log driver of ECS, it works only as a Docker plugin",
            quote(&text)
        )),
    }
    Some(text)
}
