//! How values and places are written in messages.

use serde_json::Value;

use crate::definition::finding::clip;

/// Longest piece of a value repeated in a message, in bytes.
pub(super) const MAX_SHOWN_BYTES: usize = 80;

/// The path one key further.
pub(in crate::definition) fn join(path: &str, key: &str) -> String {
    let key = clip(key, MAX_SHOWN_BYTES);
    if path.is_empty() {
        key.into_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// A text as shown in a message.
pub(in crate::definition) fn quote(text: &str) -> String {
    format!("{:?}", clip(text, MAX_SHOWN_BYTES))
}

pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

pub(super) fn is_intrinsic<'k>(mut keys: impl Iterator<Item = &'k str>) -> bool {
    let first = keys.next();
    keys.next().is_none() && first.is_some_and(|key| key == "Ref" || key.starts_with("Fn::"))
}

/// Advice for a word where a number or one of few words is wanted.
pub(in crate::definition) fn word_advice(text: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_word = text.len() <= MAX_SHOWN_BYTES
        && text.chars().all(good)
        && text.starts_with(|c: char| c.is_ascii_alphabetic());
    if is_word {
        format!("; if it is a placeholder, fill it with --var {text}=VALUE")
    } else {
        String::new()
    }
}

/// A variable's name as it can be typed.
pub(super) fn shell_word(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':');
    if name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("'{name}'")
    }
}
