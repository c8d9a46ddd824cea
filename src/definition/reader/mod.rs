//! Typed access to the JSON tree: the one place that knows where a value stands, what absent means and how a wrong
//! type is worded.
//!
//! A [`Cursor`] is one value and its path; an [`Object`] is a cursor's fields after unknown and misspelt keys were
//! complained about. Methods complain to the shared `Notes` and return `None`, so that a section file reads as a
//! table and never stops at the first mistake.
//!
//! **Invariant.** `null`, `""` and `[]` are absent everywhere but in [`Object::raw`].

mod cursor;

mod object;

mod words;

pub(super) use cursor::Cursor;
pub(super) use object::{Kind, Object};
pub(super) use words::{join, quote, word_advice};
