//! Settings of connected mode, validated by whoever builds them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::connect::Network;

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcsConfig {
    /// Cluster as the operator names it, by name or ARN; `None` = the default one, made if need be.
    pub cluster: Option<String>,
    /// Region of the control plane; `None` = that of the instance.
    pub region: Option<String>,
    /// Address of the ECS API; `None` = the region's.
    pub endpoint: Option<String>,
    /// Attributes of the operator, for the first registration.
    pub attributes: BTreeMap<String, String>,
    /// Names of settings that ECS hears of with the first registration only, and that were given in a way that cannot be
    /// read.
    pub unread: Vec<&'static str>,
    /// Log drivers that the operator wants ECS to know of; empty = all that Docker has.
    pub log_drivers: BTreeSet<String>,
    /// Tags of the container instance.
    pub tags: BTreeMap<String, String>,
    /// TCP and UDP ports that tasks may not have.
    pub reserved_ports: (Vec<u16>, Vec<u16>),
    /// What the host may not do for tasks, or does on request.
    pub features: Features,
    /// IPv4 addresses of published ports are not reported: the host has none that others reach.
    pub exclude_ipv4_bindings: bool,
    /// Whether the host is none of EC2 (`ECS_EXTERNAL`).
    pub external: bool,
    /// Task metadata does not name the zone.
    pub hide_zone: bool,
    /// How this host reaches others.
    pub network: Network,
    /// What a host of EC2 does about what EC2 says.
    pub ec2: Ec2Settings,
    /// Address of the EC2 API; `None` = the region's.
    pub ec2_endpoint: Option<String>,
    /// Version and commit, as the control plane is told.
    pub version: AgentVersion,
    /// Longest call of the API.
    pub call_limit: Duration,
}

/// What an operator has switched on or off, as far as attributes tell of it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Privileged containers are not refused.
    pub privileged: bool,
    /// Limits of tasks are set.
    pub task_limits: bool,
    /// Roles of tasks are served to their containers.
    pub task_roles: bool,
    /// Execution roles are had: for pulls, logins and secrets.
    pub execution_roles: bool,
    /// Execution roles are served to Docker's log driver for `CloudWatch`.
    pub log_roles: bool,
    /// Health checks of Docker are done.
    pub health_checks: bool,
    /// IPv6 addresses of published ports are not reported.
    pub exclude_ipv6_bindings: bool,
}

/// What is done about what EC2 says.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ec2Settings {
    /// A notice of interruption drains the instance.
    pub spot_draining: bool,
    /// A recommendation to rebalance does too.
    pub rebalance_draining: bool,
    /// Registration waits until the instance is to be in service.
    pub warm_pools: bool,
    /// Tags of the instance become tags of the container instance.
    pub propagate_tags: bool,
}

/// Version of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentVersion {
    /// Version.
    pub version: Arc<str>,
    /// Short hash of the commit.
    pub commit: Arc<str>,
}

/// The cluster where none is named.
pub const DEFAULT_CLUSTER: &str = "default";

impl EcsConfig {
    /// The cluster that calls name.
    pub fn cluster(&self) -> &str {
        self.cluster.as_deref().unwrap_or(DEFAULT_CLUSTER)
    }
}
