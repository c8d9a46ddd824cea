//! `GET /v1/usage` and `GET /v1/tasks/{id}/usage`: what the host and tasks use now, and used in the last hour.

pub mod wire;

mod view;

mod all;

mod one;

pub(super) use all::{__path_show_usage, show_usage};
pub(super) use one::{__path_show_task_usage, show_task_usage};

#[cfg(test)]
mod tests;
