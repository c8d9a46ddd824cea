//! `GET /v1/drain`: whether new tasks start on this instance, and what is left on one that drains.

pub mod wire;

mod view;

mod get;

pub(super) use get::{__path_show_drain, show_drain};
pub(in crate::api) use view::drain_state;
