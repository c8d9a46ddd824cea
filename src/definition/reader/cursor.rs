//! One value, its place, and its reading as each type that a task definition has.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::object::{Kind, Object};
use super::words::{is_intrinsic, join, kind_of, quote, shell_word, word_advice};
use crate::definition::finding::Notes;
use crate::definition::placeholders::{self, Field};
use crate::definition::sizes::{self, Quantity};
use crate::definition::suggest;

/// Longest list or map read: far above what any task needs, and a bound on the memory that reading it takes.
const MAX_ITEMS: usize = 10_000;

/// One value and where it stands.
#[derive(Clone, Debug)]
pub(in crate::definition) struct Cursor<'a> {
    pub(in crate::definition) value: &'a Value,
    pub(in crate::definition) path: String,
    notes: &'a Notes,
}

impl<'a> Cursor<'a> {
    pub(in crate::definition) fn new(value: &'a Value, path: String, notes: &'a Notes) -> Self {
        Self { value, path, notes }
    }

    pub(in crate::definition) fn notes(&self) -> &'a Notes {
        self.notes
    }

    pub(in crate::definition) fn error(&self, message: impl Into<String>) {
        self.notes.error(&self.path, message);
    }

    pub(in crate::definition) fn rule(&self, message: impl Into<String>) {
        self.notes.rule(&self.path, message);
    }

    pub(in crate::definition) fn warn(&self, message: impl Into<String>) {
        self.notes.warn(&self.path, message);
    }

    /// A text in which nothing legal looks like a placeholder.
    pub(in crate::definition) fn text(&self) -> Option<String> {
        let text = self.strict_text(Field::Strict)?;
        if self.notes.checks_rules() {
            for word in placeholders::suspect_words(&text) {
                self.warn(format!(
                    "{word} looks like a stand-in: fill it with --var {word}=VALUE"
                ));
            }
        }
        Some(text)
    }

    /// The name of an environment variable or option.
    pub(in crate::definition) fn label(&self) -> Option<String> {
        self.strict_text(Field::Label)
    }

    /// A text for a shell, a template engine or an application, which may hold `$X` and the like.
    pub(in crate::definition) fn free_text(&self) -> Option<String> {
        let text = self.raw_text()?;
        if !self.notes.checks_rules() {
            return Some(text.to_owned());
        }
        let filled = placeholders::fill(text, self.notes.variables(), Field::Free);
        for left in &filled.unfilled {
            self.warn(format!(
                "{} is passed on as written; if it is a placeholder, fill it with --var {}=VALUE",
                left.token,
                shell_word(&left.name)
            ));
        }
        Some(filled.text)
    }

    /// A whole number in `range`.
    pub(in crate::definition) fn number<T>(
        &self,
        quantity: Quantity,
        range: RangeInclusive<T>,
    ) -> Option<T>
    where
        T: Copy + TryFrom<i64> + PartialOrd + std::fmt::Display,
    {
        let shown;
        let number = match self.value {
            Value::Number(number) => {
                shown = number.to_string();
                number
                    .as_i64()
                    .or_else(|| sizes::read(&number.to_string(), Quantity::Count))
            }
            Value::String(_) => {
                let text = self.word()?;
                shown = text.clone();
                sizes::read(&text, quantity)
            }
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                self.error(format!(
                    "must be {}, is {}",
                    quantity.wanted(),
                    kind_of(self.value)
                ));
                return None;
            }
        };
        let Some(number) = number else {
            self.error(format!(
                "must be {}, is {}{}",
                quantity.wanted(),
                quote(&shown),
                word_advice(&shown)
            ));
            return None;
        };
        let typed = T::try_from(number).ok();
        let (low, high) = (range.start(), range.end());
        match typed {
            Some(typed) if range.contains(&typed) => Some(typed),
            // The type can hold it: a rule of ECS, which stored definitions are not held to.
            Some(typed) => {
                self.rule(format!("must be {low} to {high}, is {number}"));
                Some(typed)
            }
            None => {
                self.error(format!("must be {low} to {high}, is {number}"));
                None
            }
        }
    }

    /// `true` or `false`.
    pub(in crate::definition) fn flag(&self) -> Option<bool> {
        if let Value::Bool(value) = self.value {
            return Some(*value);
        }
        if !self.value.is_string() {
            self.error(format!("must be true or false, is {}", kind_of(self.value)));
            return None;
        }
        let text = self.word()?;
        match text.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                let advice = word_or_near(&text, ["true", "false"]);
                let shown = quote(&text);
                self.error(format!("must be true or false, is {shown}{advice}"));
                None
            }
        }
    }

    /// One of a table of words.
    pub(in crate::definition) fn choice<T: Copy>(&self, table: &[(&str, T)]) -> Option<T> {
        let text = self.word()?;
        if let Some(&(_, value)) = table.iter().find(|(word, _)| *word == text) {
            return Some(value);
        }
        let words = || table.iter().map(|&(word, _)| word);
        let advice = word_or_near(&text, words());
        let wanted: Vec<&str> = words().collect();
        self.error(format!(
            "must be {}, is {}{advice}",
            wanted.join(", "),
            quote(&text)
        ));
        None
    }

    /// The items of a list, nulls left out. An object in its place is complained about and read as the one item.
    pub(in crate::definition) fn items(&self) -> Vec<Cursor<'a>> {
        match self.value {
            Value::Array(items) if items.len() > MAX_ITEMS => {
                self.error(format!(
                    "has {} items, the limit is {MAX_ITEMS}",
                    items.len()
                ));
                Vec::new()
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .filter(|(_, value)| !value.is_null())
                .map(|(index, value)| {
                    Cursor::new(value, format!("{}[{index}]", self.path), self.notes)
                })
                .collect(),
            Value::Null => Vec::new(),
            Value::String(text) => {
                if !self.stands_for(text, "a list", "the list") {
                    self.error("must be a list, is a text: write [\"…\"]");
                }
                Vec::new()
            }
            Value::Object(_) => {
                self.error("must be a list, is an object: put it in brackets, [{…}]");
                vec![self.clone()]
            }
            Value::Bool(_) | Value::Number(_) => {
                self.error(format!("must be a list, is {}", kind_of(self.value)));
                Vec::new()
            }
        }
    }

    /// The fields of an object.
    pub(in crate::definition) fn object(&self, kind: &'static Kind) -> Option<Object<'a>> {
        let Value::Object(entries) = self.value else {
            if self.is_object_to_be() {
                return None;
            }
            let advice = if self.value.is_array() {
                ": take it out of the brackets"
            } else {
                ""
            };
            self.error(format!(
                "must be {}, is {}{advice}",
                kind.name,
                kind_of(self.value)
            ));
            return None;
        };
        Some(Object::read(self, entries, kind))
    }

    /// Keys and values of an object whose keys are free.
    pub(in crate::definition) fn map(&self) -> BTreeMap<String, String> {
        let Value::Object(entries) = self.value else {
            if self.is_object_to_be() {
                return BTreeMap::new();
            }
            self.error(format!(
                "must be an object of texts, is {}: write {{\"name\": \"value\"}}",
                kind_of(self.value)
            ));
            return BTreeMap::new();
        };
        if entries.len() > MAX_ITEMS {
            self.error(format!(
                "has {} keys, the limit is {MAX_ITEMS}",
                entries.len()
            ));
            return BTreeMap::new();
        }
        entries
            .iter()
            .filter(|(_, value)| !value.is_null())
            .filter_map(|(key, value)| {
                let cursor = Cursor::new(value, join(&self.path, key), self.notes);
                Some((key.clone(), cursor.free_text()?))
            })
            .collect()
    }

    fn is_object_to_be(&self) -> bool {
        let text = self.value.as_str();
        text.is_some_and(|text| self.stands_for(text, "an object", "the object"))
    }

    /// Whether the text holds a placeholder where something else than a text belongs, and says so: variables are texts.
    fn stands_for(&self, text: &str, what: &str, it: &str) -> bool {
        let filled = placeholders::fill(text, &BTreeMap::new(), Field::Strict);
        let Some(left) = filled.unfilled.first() else {
            return false;
        };
        self.error(format!(
            "holds the placeholder {}, which stands for {what}: write {it}",
            left.token
        ));
        true
    }

    /// An item that should be a text; an object that stands for the list was complained about.
    pub(super) fn text_of_list(&self, read: impl Fn(&Self) -> Option<String>) -> Option<String> {
        if self.value.is_object() && !self.path.ends_with(']') {
            return None;
        }
        read(self)
    }

    fn strict_text(&self, field: Field) -> Option<String> {
        let text = self.raw_text()?;
        if !self.notes.checks_rules() {
            return Some(text.to_owned());
        }
        let filled = placeholders::fill(text, self.notes.variables(), field);
        for left in &filled.unfilled {
            self.error(format!(
                "holds the placeholder {}: fill it with --var {}=VALUE",
                left.token,
                shell_word(&left.name)
            ));
        }
        filled.unfilled.is_empty().then_some(filled.text)
    }

    fn raw_text(&self) -> Option<&'a str> {
        match self.value {
            Value::String(text) => Some(text),
            // The value itself stays out of the message: it may be a secret.
            Value::Number(_) | Value::Bool(_) => {
                self.error(format!(
                    "must be a text, is {}: put it in quotes",
                    kind_of(self.value)
                ));
                None
            }
            Value::Object(entries) if is_intrinsic(entries.keys().map(String::as_str)) => {
                self.error("must be a text, is a CloudFormation function: write what it yields");
                None
            }
            Value::Null | Value::Array(_) | Value::Object(_) => {
                self.error(format!("must be a text, is {}", kind_of(self.value)));
                None
            }
        }
    }

    /// A word where a number or one of few words is wanted: any other one can only be a placeholder.
    fn word(&self) -> Option<String> {
        let text = self.label()?;
        Some(self.notes.variables().get(&text).cloned().unwrap_or(text))
    }
}

/// Advice for a word that is none of those that are known.
fn word_or_near<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    match suggest::same_letters(text, known) {
        Some(word) => format!("; write {word}"),
        None => word_advice(text),
    }
}
