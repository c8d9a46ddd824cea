//! The composition root: names everything, and nothing names it.
