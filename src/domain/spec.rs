//! A container ready for the runtime: its definition with every name, path, port and limit resolved.
//!
//! **Invariant.** Two equal specs give the same create call, in every mode of the agent (promise 7).

use std::collections::{BTreeMap, BTreeSet};

use super::definition::ContainerDefinition;
use super::port_mapping::Protocol;

/// Everything `ContainerRuntime::create` needs.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerSpec {
    /// Docker name, a function of task id, container name and attempt.
    pub docker_name: String,
    /// The parameters that pass through unchanged.
    pub definition: ContainerDefinition,
    /// The agent's own container that holds namespaces, rather than one of the definition.
    pub pause: bool,
    /// Final environment.
    pub environment: BTreeMap<String, String>,
    /// Variables of it that are left out where the image sets any of them.
    pub left_to_image: BTreeSet<String>,
    /// Final labels, the agent's last.
    pub labels: BTreeMap<String, String>,
    /// Network.
    pub network: NetworkChoice,
    /// PID namespace.
    pub pid: NamespaceChoice,
    /// IPC namespace.
    pub ipc: IpcChoice,
    /// Mounts of volumes and host paths.
    pub binds: Vec<Bind>,
    /// `volumesFrom` with Docker names.
    pub volumes_from: Vec<(String, bool)>,
    /// `links` as Docker name and alias.
    pub links: Vec<(String, String)>,
    /// Published ports.
    pub ports: Vec<PublishedPort>,
    /// `host:address` lines beyond the definition's.
    pub extra_hosts: Vec<(String, String)>,
    /// Parent cgroup, where the task has limits.
    pub cgroup_parent: Option<String>,
    /// Hard memory limit in MiB after all rules; `None` = none.
    pub memory_mib: Option<u32>,
    /// CPU shares after all rules.
    pub cpu_shares: u32,
    /// Percent of the host's CPUs, which is how Windows counts; `None` = shares count.
    pub cpu_percent: Option<u32>,
    /// How Docker is told of the GPUs that it has; `None` = it has none.
    pub gpus: Option<GpuChoice>,
    /// Log driver and options after the host's policy; `None` = Docker's default.
    pub log: Option<LogChoice>,
}

/// Docker network mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkChoice {
    /// `bridge`.
    Bridge,
    /// `nat`: what the same is on Windows.
    Nat,
    /// `host`.
    Host,
    /// `none`.
    None,
    /// `container:<docker name>`.
    Container(String),
}

/// Docker PID mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamespaceChoice {
    /// Docker's default.
    Private,
    /// `host`.
    Host,
    /// `container:<docker name>`.
    Container(String),
}

/// Docker IPC mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IpcChoice {
    /// Docker's default.
    Default,
    /// `none`.
    None,
    /// `host`.
    Host,
    /// `shareable`: others join.
    Shareable,
    /// `container:<docker name>`.
    Container(String),
}

/// One `Binds` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// Docker volume name or host path.
    pub source: String,
    /// Path in the container.
    pub target: String,
    /// Read-only.
    pub read_only: bool,
}

/// One published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedPort {
    /// Port in the container.
    pub container_port: u16,
    /// Transport.
    pub protocol: Protocol,
    /// Host port; `None` = Docker chooses.
    pub host_port: Option<u16>,
}

/// How Docker is told of a container's GPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GpuChoice {
    /// By the runtime of that name, which reads their ids in the environment.
    Runtime(String),
    /// As devices with these ids.
    Devices(Vec<String>),
}

/// Log driver and options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChoice {
    /// Driver.
    pub driver: String,
    /// Options.
    pub options: BTreeMap<String, String>,
}
