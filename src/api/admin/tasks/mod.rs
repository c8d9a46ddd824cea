//! `/v1/tasks`: desired state in, tasks out. One endpoint a file.

pub mod wire;

mod submit;

mod put;

mod create;

mod list;

mod stop;

mod remove;

#[cfg(test)]
mod tests;

pub(super) use create::{__path_create_task, create_task};
pub(super) use list::{__path_list_tasks, list_tasks};
pub(super) use put::{__path_put_task, put_task};
pub(super) use remove::{__path_remove_task, remove_task};
pub(super) use stop::{__path_stop_task, stop_task};
pub(super) use submit::{definition_problem, field_errors, network_as};
