//! `/v1/tasks/{id}`: one task as it is asked for and as it is.

pub mod wire;

mod view;

mod get;

pub(super) use get::{__path_get_task, get_task};
pub(in crate::api) use view::{condition, containers, in_flight, progress, summary};
