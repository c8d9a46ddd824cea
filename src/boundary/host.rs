//! The host beside Docker: cgroups, ports, disk.

use std::net::SocketAddr;

use async_trait::async_trait;

use super::error::BoundaryError;
use crate::domain::host::HostFacts;
use crate::domain::ids::TaskId;
use crate::domain::port_mapping::Protocol;
use crate::domain::runtime::RuntimeInfo;

/// Limits of a task's cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CgroupLimits {
    /// CFS quota as thousandths of a CPU; `None` = no quota, then `cpu_shares` counts.
    pub cpu_millis: Option<u64>,
    /// CPU shares, 2 to 262144; written where there is no quota.
    pub cpu_shares: u64,
    /// Memory limit in bytes.
    pub memory_bytes: Option<u64>,
}

/// Who holds a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortHolder {
    /// Process id.
    pub pid: u32,
    /// Its command name.
    pub command: String,
}

/// Free and total space of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes that the agent could still write.
    pub free_bytes: u64,
    /// Size in bytes.
    pub total_bytes: u64,
}

/// The host.
#[async_trait]
pub trait Host: Send + Sync {
    /// The task's cgroup exists in each controller with these limits: made now, or found and set.
    async fn create_cgroup(&self, task: &TaskId, limits: CgroupLimits)
    -> Result<(), BoundaryError>;

    /// The task's cgroup is gone. Success if it was; `Conflict` while a process is in it.
    async fn remove_cgroup(&self, task: &TaskId) -> Result<(), BoundaryError>;

    /// The process that listens on the port, if there is one and it can be told.
    async fn port_holder(&self, port: u16, protocol: Protocol) -> Option<PortHolder>;

    /// The processes that have what takes TCP connections to this address, as far as they can be told: several where a
    /// service manager keeps the socket of another. A host that cannot tell addresses apart has the holder of the port.
    async fn listeners(&self, address: SocketAddr) -> Vec<PortHolder> {
        let holder = self.port_holder(address.port(), Protocol::Tcp).await;
        holder.into_iter().collect()
    }

    /// Whether that host port can be bound now, on all addresses.
    async fn port_is_free(&self, port: u16, protocol: Protocol) -> bool;

    /// Space of the file system that holds `path`.
    async fn disk_space(&self, path: &str) -> Result<DiskSpace, BoundaryError>;
}

/// Finds out what the host can do. Asked whenever Docker begins to answer.
#[async_trait]
pub trait HostProbe: Send + Sync {
    /// The host as data, given what Docker says of itself.
    async fn probe(&self, info: &RuntimeInfo) -> HostFacts;
}
