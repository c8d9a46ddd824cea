//! berth: an Amazon ECS container agent for Linux and Windows.
//!
//! Read in this order: [`domain`] says what the words mean, [`boundary`] what the engine needs from outside,
//! [`reconcile`] is the engine; the rest are drivers that set desired state and adapters that touch the world.
//! `docs/ARCHITECTURE.md` is the map.

pub mod domain;

pub mod boundary;

pub mod reconcile;

pub mod secrets;

pub mod images;

pub mod credentials;

pub mod stats;

pub mod definition;

pub mod standalone;

pub mod ecs;

pub mod api;

pub mod docker;

pub mod store;

pub mod platform;

pub mod audit;

pub mod aws;

pub mod vault;

pub mod config;

pub mod supervise;

pub mod telemetry;

pub mod metrics;

pub mod error;

pub mod app;

pub mod cli;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
