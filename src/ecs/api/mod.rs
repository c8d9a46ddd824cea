//! The ECS API as far as an agent calls it: what is asked, what comes back, and the SDK that does it.
//!
//! **Invariant.** No type of the SDK leaves this folder but the credentials that it is given.

mod error;

mod facts;

mod http;

mod protection;

mod sdk;

mod submit;

mod user_agent;

use std::collections::BTreeMap;

use async_trait::async_trait;

pub use error::{ApiError, Failure};
pub use facts::FactsApi;
pub use http::connector;
pub use protection::ProtectionApi;
pub use sdk::{HostCredentials, Sdk};

use super::report::TaskChange;

/// What an agent asks of the control plane.
#[async_trait]
pub trait ControlPlane: Send + Sync {
    /// The instance is registered.
    async fn register(&self, registration: &Registration) -> Result<Registered, ApiError>;

    /// The cluster exists. Returns its name.
    async fn create_cluster(&self, name: &str) -> Result<String, ApiError>;

    /// Where sessions of the instance go.
    async fn discover(&self, instance: &str, cluster: &str) -> Result<Endpoints, ApiError>;

    /// No new task is placed on the instance.
    async fn drain(&self, cluster: &str, instance: &str) -> Result<(), ApiError>;

    /// The change is acknowledged.
    async fn submit(&self, cluster: &str, change: &TaskChange) -> Result<(), ApiError>;
}

/// A registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Cluster.
    pub cluster: String,
    /// The instance that this host was before; `None` = it is new.
    pub instance: Option<String>,
    /// Identity document of the host and its signature; empty where there is none.
    pub identity: (String, String),
    /// What the host has: CPU units, MiB, and ports that are taken.
    pub resources: Resources,
    /// Ids of the GPUs that tasks may have; `None` = nothing is said of GPUs.
    pub gpus: Option<Vec<String>>,
    /// Attributes in order; `None` = a name alone.
    pub attributes: Vec<(String, Option<String>)>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Tells a repeated registration from another.
    pub client_token: String,
}

/// What a host has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// CPU units.
    pub cpu_units: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// TCP ports that are taken.
    pub ports: Vec<u16>,
    /// UDP ports that are taken.
    pub ports_udp: Vec<u16>,
}

/// The answer to a registration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// ARN of the container instance.
    pub instance: String,
    /// Attributes as the control plane has them.
    pub attributes: BTreeMap<String, Option<String>>,
}

/// Where sessions go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// ACS.
    pub acs: Option<String>,
    /// TCS.
    pub telemetry: Option<String>,
}
