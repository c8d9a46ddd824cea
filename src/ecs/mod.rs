//! Connected mode: the driver whose desired state comes from Amazon ECS.
//!
//! ```text
//!  register ──► instance ARN ──► ACS session ──► payload ──► reconciler's handle ──► ack when durable
//!                                                                  │
//!  SubmitTaskStateChange ◄── report: known against acknowledged ◄── snapshots
//! ```
//!
//! **Invariants.** It sets desired state through the reconciler's handle and reads snapshots; it knows neither Docker
//! nor SQLite. An acknowledgement says that what was asked is durable, never that it was done. `link/`, `acs/`,
//! `payload/`, `register/` and `report/plan.rs` decide and do nothing else. Starting never needs the network.

pub mod config;

pub mod link;

pub mod acs;

pub mod tcs;

pub mod payload;

pub mod report;

pub mod register;

pub mod api;

pub mod connect;

pub mod credentials;

pub mod service;

pub use api::{FactsApi, HostCredentials, ProtectionApi, connector};
pub use config::EcsConfig;
pub use config::{AgentVersion, Ec2Settings, Features};
pub use connect::{Authorities, EndpointKinds, Network, Proxies, Proxy};
pub use credentials::{AcsSource, SentCredentials};
pub use service::{ConnectedStatus, Outside, StatusHandle, Usage, service};
