//! The fields of one object: looked up by name, with strange keys complained about once.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::cursor::Cursor;
use super::words::{MAX_SHOWN_BYTES, join};
use crate::definition::finding::{Notes, clip};
use crate::definition::sizes::Quantity;
use crate::definition::suggest;

/// The keys of one kind of object.
pub(in crate::definition) struct Kind {
    /// What it is, with its article: `a container definition`.
    pub(in crate::definition) name: &'static str,
    /// Keys that are read.
    pub(in crate::definition) fields: &'static [&'static str],
    /// Keys that ECS knows and berth has no use for.
    pub(in crate::definition) ignored: &'static [&'static str],
    /// A kind that people confuse it with, whose keys get advice of their own.
    pub(in crate::definition) sibling: Option<&'static Kind>,
}

/// The fields of one object that are there.
#[derive(Debug)]
pub(in crate::definition) struct Object<'a> {
    fields: HashMap<&'static str, Cursor<'a>>,
    pub(in crate::definition) path: String,
    notes: &'a Notes,
}

impl<'a> Object<'a> {
    /// Sorts the entries into fields and strange keys.
    pub(super) fn read(
        cursor: &Cursor<'a>,
        entries: &'a Map<String, Value>,
        kind: &'static Kind,
    ) -> Self {
        let mut object = Self {
            fields: HashMap::new(),
            path: cursor.path.clone(),
            notes: cursor.notes(),
        };
        for (key, value) in entries {
            let cursor = Cursor::new(value, join(&object.path, key), object.notes);
            if let Some(&field) = kind.fields.iter().find(|&&field| field == key) {
                object.fields.insert(field, cursor);
            } else if !kind.ignored.contains(&key.as_str()) {
                object.take_strange_key(key, cursor, kind);
            }
        }
        object
    }

    /// The field, even if it is `""`, `[]` or `null`.
    pub(in crate::definition) fn raw(&self, name: &str) -> Option<&Cursor<'a>> {
        self.fields.get(name)
    }

    /// The field, unless it is `null`, `""` or `[]`.
    pub(in crate::definition) fn get(&self, name: &str) -> Option<&Cursor<'a>> {
        self.raw(name).filter(|cursor| match cursor.value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
        })
    }

    /// The field, or a complaint that it is missing.
    pub(in crate::definition) fn required(&self, name: &str) -> Option<&Cursor<'a>> {
        let found = self.get(name);
        if found.is_none() {
            let state = match self.raw(name).map(|cursor| cursor.value) {
                Some(Value::String(_) | Value::Array(_)) => "is empty",
                _ => "is missing",
            };
            self.notes.error(&self.at(name), state);
        }
        found
    }

    pub(in crate::definition) fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.text()
    }

    pub(in crate::definition) fn flag(&self, name: &str, default: bool) -> bool {
        self.get(name).and_then(Cursor::flag).unwrap_or(default)
    }

    pub(in crate::definition) fn number<T>(
        &self,
        name: &str,
        quantity: Quantity,
        range: RangeInclusive<T>,
    ) -> Option<T>
    where
        T: Copy + TryFrom<i64> + PartialOrd + std::fmt::Display,
    {
        self.get(name)?.number(quantity, range)
    }

    pub(in crate::definition) fn choice<T: Copy>(
        &self,
        name: &str,
        table: &[(&str, T)],
    ) -> Option<T> {
        self.get(name)?.choice(table)
    }

    /// Items of a list, each read by `read`; those it refuses are left out.
    pub(in crate::definition) fn each<T>(
        &self,
        name: &str,
        read: impl FnMut(&Cursor<'a>) -> Option<T>,
    ) -> Vec<T> {
        let items = self.get(name).map(Cursor::items).unwrap_or_default();
        items.iter().filter_map(read).collect()
    }

    /// A list of strict texts.
    pub(in crate::definition) fn texts(&self, name: &str) -> Vec<String> {
        self.each(name, |item| item.text_of_list(Cursor::text))
    }

    /// A list of free texts; `None` if absent.
    pub(in crate::definition) fn free_texts(&self, name: &str) -> Option<Vec<String>> {
        self.get(name)?;
        Some(self.each(name, |item| item.text_of_list(Cursor::free_text)))
    }

    pub(in crate::definition) fn map(&self, name: &str) -> BTreeMap<String, String> {
        self.get(name).map(Cursor::map).unwrap_or_default()
    }

    pub(in crate::definition) fn rule(&self, name: &str, message: impl Into<String>) {
        self.notes.rule(&self.at(name), message);
    }

    /// A rule that an item of the field's list breaks.
    pub(in crate::definition) fn rule_of_item(&self, name: &str, index: usize, message: &str) {
        let path = format!("{}[{index}]", self.at(name));
        self.notes.rule(&path, message);
    }

    pub(in crate::definition) fn warn(&self, name: &str, message: impl Into<String>) {
        self.notes.warn(&self.at(name), message);
    }

    /// Something to look at in the object as a whole.
    pub(in crate::definition) fn warn_whole(&self, message: impl Into<String>) {
        self.notes.warn(&self.path, message);
    }

    /// Path of a field of this object.
    pub(in crate::definition) fn at(&self, name: &str) -> String {
        match self.raw(name) {
            Some(cursor) => cursor.path.clone(),
            None => join(&self.path, name),
        }
    }

    /// A key that is not of this kind: another spelling is refused and read on, so that what is below it is checked
    /// too; anything else is ignored, as ECS ignores it.
    fn take_strange_key(&mut self, key: &str, cursor: Cursor<'a>, kind: &'static Kind) {
        if self.notes.is_full() {
            return cursor.warn("is not a known field, ignored");
        }
        let known = || kind.fields.iter().chain(kind.ignored).copied();
        let shown = clip(key, MAX_SHOWN_BYTES);
        if let Some(meant) = suggest::same_letters(key, known()) {
            cursor.error(format!(
                "is written {shown}, ECS reads {meant}: keys count their case"
            ));
            if let Some(&field) = kind.fields.iter().find(|&&field| field == meant) {
                self.fields.entry(field).or_insert(cursor);
            }
            return;
        }
        let sibling = kind
            .sibling
            .filter(|sibling| sibling.fields.contains(&key) || sibling.ignored.contains(&key));
        if let Some(sibling) = sibling {
            return cursor.warn(format!(
                "is not a field of {}, ignored: it belongs to {}",
                kind.name, sibling.name
            ));
        }
        // What is ignored is short: a list or an object was hardly meant for it.
        let holds_more = cursor.value.is_object() || cursor.value.is_array();
        let likely = |near: &&str| !holds_more || !kind.ignored.contains(near);
        let advice = match suggest::nearest(key, known()).filter(likely) {
            Some(near) => format!(": did you mean {near}?"),
            None => String::new(),
        };
        cursor.warn(format!("is not a field of {}, ignored{advice}", kind.name));
    }
}
