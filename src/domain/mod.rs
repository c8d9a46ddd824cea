//! Values and rules: what ECS' words mean, with no I/O, no async, no serialisation and no clock.
//!
//! **Invariant.** This folder uses `std` and `thiserror` only (`placement` also a regular
//! expression matcher, `secret` what wipes memory), so everything in it can be tested as a table.

pub mod ids;

pub mod image;

pub mod port_mapping;

pub mod volume;

pub mod windows_path;

pub mod definition;

pub mod depends_on;

pub mod status;

pub mod reason;

pub mod container_facts;

pub mod task_ids;

pub mod task;

pub mod host;

pub mod runtime;

pub mod spec;

pub mod names;

pub mod layout;

pub mod demand;

pub mod placement;

pub mod fit;

pub mod secret;

pub mod confidential;

pub mod secret_place;

pub mod credential_spec;

pub mod credentials;

pub mod registry;

pub mod fips;

pub mod endpoint;

pub mod caller;

pub mod usage;

pub mod disk;

pub mod outcome;

pub mod draining;

#[cfg(test)]
pub(crate) mod sample;
