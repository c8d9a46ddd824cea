//! `/v1/events`: the durable timeline of all tasks, read and followed.

pub mod wire;

mod read;

mod follow;

mod encode;

mod get;

#[cfg(test)]
mod tests;

pub use follow::HEARTBEAT;

pub(in crate::api) use encode::json_line;
pub(super) use get::{__path_read_events, read_events};
