//! What shall be done now for one task: pure.

pub mod spec;
