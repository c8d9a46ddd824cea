//! The way in: which of the forms people keep task definitions in a document has, and its parts from there.
//!
//! Forms: the argument of register-task-definition, the answer of describe-task-definition with and without its
//! `taskDefinition` wrapper, and a bare array of container definitions. Paths in findings are those of the document
//! as given, so they start with the wrapper's key or with `[0]` where there is one.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::finding::{Finding, Notes, Rejected, Rules};
use super::reader::Cursor;
use super::{parts, suggest, task, tree};
use crate::domain::definition::TaskDefinition;
use crate::domain::ids::{Family, MAX_NAME_BYTES};

/// Largest file read, in bytes. ECS takes 64 KiB; ten MiB is far above any template and safely below memory.
pub const MAX_FILE_BYTES: usize = 10 * 1024 * 1024;

/// Most containers of a task. ECS' own limit is lower and is left to ECS; this one keeps a host usable.
pub const MAX_CONTAINERS: usize = 500;

/// What a reader of files knows beside the text.
#[derive(Clone, Debug, Default)]
pub struct ParseOptions {
    /// Values of placeholders, by the bare name inside their brackets.
    pub variables: BTreeMap<String, String>,
    /// Names the family if the input does not, for example the file's stem; characters no family can have become `-`.
    pub family_hint: Option<String>,
}

/// A task definition that can be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The definition.
    pub definition: TaskDefinition,
    /// What somebody should look at. Never errors.
    pub warnings: Vec<Finding>,
}

/// Reads a task definition as people have it.
///
/// # Errors
/// [`Rejected`] with every reason at once.
pub fn parse(text: &[u8], options: &ParseOptions) -> Result<Parsed, Rejected> {
    let notes = Notes::new(Rules::Input, options.variables.clone());
    let hint = options.family_hint.as_deref().and_then(family_from_hint);
    let definition = read(text, hint, &notes)?;
    finish(definition, notes)
}

/// Reads what [`super::canonical()`] wrote.
///
/// # Errors
/// [`Rejected`] if the text was not written by it, or by a version with other types.
pub fn from_canonical(text: &str) -> Result<TaskDefinition, Rejected> {
    let notes = Notes::new(Rules::Stored, BTreeMap::new());
    let definition = read(text.as_bytes(), None, &notes)?;
    finish(definition, notes).map(|parsed| parsed.definition)
}

fn finish(definition: Option<TaskDefinition>, notes: Notes) -> Result<Parsed, Rejected> {
    let refused = notes.has_errors();
    let findings = notes.into_findings();
    match definition {
        Some(definition) if !refused => Ok(Parsed {
            definition,
            warnings: findings,
        }),
        partial => Err(Rejected {
            findings,
            partial: partial.map(Box::new),
        }),
    }
}

fn read(
    text: &[u8],
    hint: Option<Family>,
    notes: &Notes,
) -> Result<Option<TaskDefinition>, Rejected> {
    let document = tree::read(text, notes)?;
    let root = Cursor::new(&document, String::new(), notes);
    let definition = match &document {
        Value::Array(items) => match items.as_slice() {
            [only] if field(only, "containerDefinitions").is_some() => {
                let inner = Cursor::new(only, "[0]".to_owned(), notes);
                inner.rule("is a whole task definition in brackets: take it out of them");
                task::read(&inner, None, hint)
            }
            _ => parts::read_containers_only(&root, hint),
        },
        Value::Object(entries) => match wrapped(&root, entries) {
            Wrapped::Not => task::read(&root, None, hint),
            Wrapped::In(inner) => task::read(&inner, field(&document, "tags"), hint),
            Wrapped::Unusable => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            root.error("must be a task definition, an object in braces");
            None
        }
    };
    Ok(definition)
}

/// Where the definition is in a document.
enum Wrapped<'a> {
    /// It is the document.
    Not,
    /// It is inside of something.
    In(Cursor<'a>),
    /// There is not the one definition: this was complained about.
    Unusable,
}

/// The definition inside the answer of describe-task-definition, or inside what is alike: that is complained about
/// and, where it holds one definition, read on.
fn wrapped<'a>(root: &Cursor<'a>, entries: &'a Map<String, Value>) -> Wrapped<'a> {
    if field(root.value, "containerDefinitions").is_some() {
        return Wrapped::Not;
    }
    if entries.contains_key("Resources") {
        root.error(
            "is a CloudFormation template: pass the Properties of its AWS::ECS::TaskDefinition, \
             with keys in camelCase",
        );
        return Wrapped::Unusable;
    }
    let inside = |key: &str, value| Cursor::new(value, key.to_owned(), root.notes());
    if let Some(properties) = entries.get("Properties").filter(|it| it.is_object()) {
        root.rule(
            "is a resource of CloudFormation: pass its Properties alone, with keys in camelCase",
        );
        return Wrapped::In(inside("Properties", properties));
    }
    let names = ["taskDefinition", "taskDefinitions"];
    let found = entries.iter().find(|(key, value)| {
        let holds = value.is_object() || value.is_array();
        holds && suggest::same_letters(key, names).is_some()
    });
    let Some((key, value)) = found else {
        return Wrapped::Not;
    };
    let outer = inside(key, value);
    if let Value::Array(items) = value {
        if let [only] = items.as_slice()
            && only.is_object()
        {
            outer.rule("is a list: take its one task definition out of the brackets");
            return Wrapped::In(inside(&format!("{}[0]", outer.path), only));
        }
        outer.error("is a list: pass one task definition, an object in braces");
        return Wrapped::Unusable;
    }
    if key != "taskDefinition" {
        let written = &outer.path;
        outer.rule(format!("is written {written}, AWS writes taskDefinition"));
    }
    Wrapped::In(outer)
}

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let mut pascal = name.to_owned();
    if let Some(first) = pascal.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    value.get(name).or_else(|| value.get(pascal))
}

/// A family from a file's stem.
fn family_from_hint(hint: &str) -> Option<Family> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = hint
        .chars()
        .map(|c| if good(c) { c } else { '-' })
        .take(MAX_NAME_BYTES)
        .collect();
    Family::parse(&name).ok()
}
