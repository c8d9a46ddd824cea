//! The Docker Engine adapter: the only place that knows bollard.
//!
//! Reading order: [`config`] says where Docker is and how long to wait, `client` keeps the negotiated connection and
//! puts a deadline on every call, `containers`, `ping`, `volumes` and `images` implement the boundary traits, and `convert`
//! turns Docker's JSON into domain values and back, without I/O.
//!
//! **Invariants.** No call is made without a deadline. Nothing is decided here beyond what a boundary method promises.
//! Docker's words never cross the edge other than as the message of a `BoundaryError`, whose kind `error` chooses.
//! Answers are read by tolerant types of our own (`wire`), so that a word that a newer Docker adds cannot blind the agent.

pub mod config;

mod endpoint;

mod version;

mod error;

mod wire;

mod raw;

mod client;

mod convert;

mod containers;

mod ping;

mod output;

mod events;

mod volumes;

mod images;

mod pull;

mod auth;

#[cfg(test)]
mod tests;

pub use client::Docker;
pub use config::{Deadlines, DockerConfig};
pub use convert::create::create_body;
