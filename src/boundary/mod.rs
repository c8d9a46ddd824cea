//! The outside, as the engine sees it: one trait a role, domain types only.
//!
//! Each method is documented by its postcondition. Every implementation passes the contract suite in
//! `crate::testing`; there is one real adapter and one fake of each. Errors carry a [`ErrorKind`], which is all that
//! decisions look at.

pub mod error;

pub mod runtime;

pub mod images;

pub mod store;

pub mod host;

pub mod usage;

pub mod clock;

pub mod codec;

pub mod stats;

pub mod barrier;

pub mod redirect;

pub mod lead;

pub mod callers;

pub mod connections;

pub mod credentials;

pub mod meter;

pub mod task_address;

pub mod instance_metadata;

pub mod protection;

pub mod ecs_facts;

pub mod registry;

pub mod secrets;

pub use barrier::MetadataBarrier;
pub use clock::{Clock, Ids};
pub use codec::DesiredCodec;
pub use connections::Connections;
pub use credentials::{AuditLog, CredentialsSource, OwnCredentials, TaskRoles};
pub use ecs_facts::EcsFactsSource;
pub use error::{BoundaryError, ErrorKind};
pub use host::{Host, HostProbe};
pub use images::{ImageInventory, ImageRuntime, ImageSource};
pub use instance_metadata::{InstanceFact, InstanceMetadata};
pub use lead::TaskLead;
pub use meter::Meter;
pub use protection::TaskProtection;
pub use redirect::TaskRedirect;
pub use registry::TokenSource;
pub use runtime::{ContainerRuntime, EventStream, RuntimePing, VolumeRuntime};
pub use secrets::{SecretSource, TaskSecrets};
pub use store::{InstanceStore, TaskStore};
pub use task_address::{HeldAddress, TaskAddress};
pub use usage::UsageSource;
