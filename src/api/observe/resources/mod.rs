//! `GET /v1/resources`: what the host has, who holds it, what is free, and who waits in which order.

pub mod wire;

mod shares;

mod view;

mod get;

pub(super) use get::{__path_show_resources, show_resources};
