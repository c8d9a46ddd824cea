//! HTTP: one folder a listener, one file an endpoint, errors and listeners on a page each.

pub mod wire;

pub mod problem;

mod query;

pub mod listeners;

mod write_deadline;

mod lingering;

mod timed_body;

mod doors;

#[cfg(test)]
mod tcp_tests;

mod connection;

pub mod tcp;

pub mod view;

pub mod metadata_file;

pub mod introspection;

pub mod task_server;

pub mod local;

pub mod observe;

mod ui;

pub mod admin;

#[cfg(test)]
mod tests;

pub use admin::{AdminState, PlanSource, Switch, admin_router, openapi, starting_router};
/// What a listener serves.
pub use axum::Router;
pub use local::{LocalServer, serve_local};
pub use observe::{Figures, ObserveState, Surroundings};
