//! The way in: which of the forms people keep task definitions in a document has, and its parts from there.
//!
//! Forms: the argument of register-task-definition, the answer of describe-task-definition with and without its
//! `taskDefinition` wrapper, and a bare array of container definitions. Paths in findings are those of the document
//! as given, so they start with the wrapper's key or with `[0]` where there is one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::finding::{Finding, Notes, Rejected, Rules};
use super::reader::Cursor;
use super::{parts, task, tree};
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
        _ => Err(Rejected { findings }),
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
        Value::Object(entries) => match wrapped(&document) {
            Some((key, inner)) => {
                let inner = Cursor::new(inner, key.to_owned(), notes);
                task::read(&inner, entries.get("tags"), hint)
            }
            None if entries.contains_key("Resources") => {
                root.error(
                    "is a CloudFormation template: pass the Properties of its AWS::ECS::TaskDefinition, \
                     with keys in camelCase",
                );
                None
            }
            None => task::read(&root, None, hint),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            root.error("must be a task definition, an object in braces");
            None
        }
    };
    Ok(definition)
}

/// The definition inside the answer of describe-task-definition, with its key.
fn wrapped(document: &Value) -> Option<(&'static str, &Value)> {
    if field(document, "containerDefinitions").is_some() {
        return None;
    }
    document
        .get("taskDefinition")
        .filter(|inner| inner.is_object())
        .map(|inner| ("taskDefinition", inner))
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
