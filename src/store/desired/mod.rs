//! What was asked of a task: its row, its table.

pub(super) mod rows;

pub(super) mod table;
