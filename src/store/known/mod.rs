//! What was observed of a task: rows, their conversion, their tables.

pub(super) mod rows;

mod convert;

pub(super) mod table;
