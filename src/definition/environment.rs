//! Environment variables, files of them, and secrets.
//!
//! **Invariant.** No message here repeats a value: it may be a password.

use std::collections::BTreeMap;

use super::reader::{Cursor, Kind, Object};
use crate::domain::definition::SecretRef;

static VARIABLE: Kind = Kind {
    name: "an environment variable",
    fields: &["name", "value"],
    ignored: &[],
    sibling: Some(&SECRET),
};

static SECRET: Kind = Kind {
    name: "a secret",
    fields: &["name", "valueFrom"],
    ignored: &[],
    sibling: Some(&VARIABLE),
};

static FILE: Kind = Kind {
    name: "an environment file",
    fields: &["value"],
    ignored: &["type"],
    sibling: None,
};

/// `environment`: of a name given twice the last counts.
pub(super) fn read_variables(container: &Object<'_>) -> BTreeMap<String, String> {
    let Some(cursor) = container.get("environment") else {
        return BTreeMap::new();
    };
    if cursor.value.is_object() {
        cursor.error("must be a list, is an object: write [{\"name\": \"…\", \"value\": \"…\"}]");
        return BTreeMap::new();
    }
    let mut variables = BTreeMap::new();
    for item in cursor.items() {
        let Some(object) = item.object(&VARIABLE) else {
            continue;
        };
        let name = read_name(&object);
        let value = match object.raw("value") {
            Some(value) if !value.value.is_null() => value.free_text(),
            _ => Some(String::new()),
        };
        let (Some(name), Some(value)) = (name, value) else {
            continue;
        };
        if value.contains('\0') {
            object.rule("value", "has a NUL character, no variable can");
        }
        if variables.contains_key(&name) {
            object.warn(
                "name",
                format!("{name} is given twice, the last one counts"),
            );
        }
        variables.insert(name, value);
    }
    variables
}

/// `secrets`, or `secretOptions` of a log configuration.
pub(super) fn read_secrets(owner: &Object<'_>, field: &str) -> Vec<SecretRef> {
    owner.each(field, |item| {
        let object = item.object(&SECRET)?;
        let name = read_name(&object);
        let value_from = object.required("valueFrom").and_then(Cursor::text);
        Some(SecretRef {
            name: name?,
            value_from: value_from?,
        })
    })
}

/// `environmentFiles[].value`.
pub(super) fn read_files(container: &Object<'_>) -> Vec<String> {
    container.each("environmentFiles", |item| {
        item.object(&FILE)?.required("value")?.text()
    })
}

fn read_name(object: &Object<'_>) -> Option<String> {
    let name = object.required("name")?.label()?;
    if name.contains(['=', '\0']) {
        object.rule("name", "has a '=' or NUL, no variable's name can");
    }
    Some(name)
}
