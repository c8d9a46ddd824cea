//! Small tools on JSON trees: what ACS leaves out, null and empty are the same.

use serde_json::{Map, Value};

/// An object under construction or under reading.
pub(super) type Members = Map<String, Value>;

/// The member if it says something.
pub(super) fn take(from: &mut Members, name: &str) -> Option<Value> {
    from.remove(name).filter(says_something)
}

/// The member as text.
pub(super) fn take_text(from: &mut Members, name: &str) -> Option<String> {
    match take(from, name)? {
        Value::String(text) => Some(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

/// The items of a list member; anything else is none.
pub(super) fn take_list(from: &mut Members, name: &str) -> Vec<Value> {
    match take(from, name) {
        Some(Value::Array(items)) => items.into_iter().filter(|item| !item.is_null()).collect(),
        Some(_) | None => Vec::new(),
    }
}

/// Moves members over as they are, under the same names.
pub(super) fn pass(from: &mut Members, to: &mut Members, names: &[&str]) {
    for name in names {
        if let Some(value) = take(from, name) {
            to.insert((*name).to_owned(), value);
        }
    }
}

/// Moves numbers over of which zero means none.
pub(super) fn pass_counts(from: &mut Members, to: &mut Members, names: &[&str]) {
    for name in names {
        if let Some(value) = take(from, name).filter(|value| value.as_f64() != Some(0.0)) {
            to.insert((*name).to_owned(), value);
        }
    }
}

/// Sets a member.
pub(super) fn put(to: &mut Members, name: &str, value: impl Into<Value>) {
    to.insert(name.to_owned(), value.into());
}

/// Sets a member that says something.
pub(super) fn put_some(to: &mut Members, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(to, name, value);
    }
}

/// Sets a list that has items.
pub(super) fn put_list(to: &mut Members, name: &str, items: Vec<Value>) {
    if !items.is_empty() {
        put(to, name, items);
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// A map of texts as ECS' list of pairs.
pub(super) fn pairs(map: &Members, key: &str) -> Vec<Value> {
    let pair = |(name, value): (&String, &Value)| {
        let mut entry = Members::new();
        put(&mut entry, key, name.as_str());
        // No value is the empty one.
        let value = if value.is_null() {
            Value::from("")
        } else {
            value.clone()
        };
        put(&mut entry, "value", value);
        Value::Object(entry)
    };
    map.iter().map(pair).collect()
}

/// Bytes as MiB, rounded up; `None` if it is no number or zero.
pub(super) fn mebibytes(value: &Value) -> Option<u64> {
    const BYTES: u64 = 1024 * 1024;
    value
        .as_u64()
        .filter(|bytes| *bytes > 0)
        .map(|bytes| bytes.div_ceil(BYTES))
}
