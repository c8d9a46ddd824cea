//! `GET /v1/config`: every setting as it counts, where it came from, and what was wrong with it.

pub mod wire;

mod get;

pub(super) use get::{__path_show_settings, show_settings};
