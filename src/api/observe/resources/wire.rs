//! Wire types of the host's resources.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::wire::Time;

/// What the host has and who holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// When the answer was made.
    pub now: Time,
    /// CPU in units of which a core has 1024.
    pub cpu: Amount,
    /// Memory in MiB, less what is kept for the host itself.
    pub memory: Amount,
    /// Host ports.
    pub ports: Ports,
    /// The disk of Docker's images and containers; absent until it has been looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
    /// Tasks that hold some of it, in the order of their admission.
    pub holders: Vec<Holder>,
    /// Tasks that wait for some of it, in the order in which they are served.
    pub waiting: Vec<Waiting>,
}

/// An amount of something that tasks share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amount {
    /// What there is for tasks; absent until Docker has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
    /// What tasks hold.
    pub reserved: u32,
    /// What is left; absent until Docker has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<u32>,
}

/// Host ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ports {
    /// Ports that no task may have.
    pub kept_for_host: Vec<HostPort>,
    /// Ports that tasks hold, also those that were chosen for ranges.
    pub held: Vec<HeldPort>,
}

/// A host port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostPort {
    /// Number.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

/// A host port and who has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldPort {
    /// Number.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Who.
    pub task_arn: String,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    /// Where Docker keeps images and containers.
    pub path: String,
    /// Size in bytes.
    pub total_bytes: u64,
    /// Bytes that could still be written.
    pub free_bytes: u64,
    /// When it was looked at.
    pub checked_at: Time,
    /// Sizes of the images that the agent remembers, added up; shared layers count more than once.
    pub image_bytes: u64,
    /// What is on it and whose it is; absent until it has been looked at, which happens about each ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<DiskUsage>,
}

/// What is on a disk, by its owners. The parts add up to what is in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiskUsage {
    /// When it was looked at. What has been written since is not in it.
    pub checked_at: Time,
    /// For how many milliseconds Docker counted.
    pub took_ms: u64,
    /// All images of the host, each layer once.
    pub image_bytes: u64,
    /// Tasks of this agent whose containers are there, the largest first.
    pub tasks: Vec<TaskDisk>,
    /// Volumes that containers of several tasks use.
    pub shared_volume_bytes: u64,
    /// What containers of nobody's task have written.
    pub other_container_bytes: u64,
    /// Volumes that no container of a task uses.
    pub other_volume_bytes: u64,
    /// The agent's own files: state, records, metadata files.
    pub agent_bytes: u64,
    /// Whether those are on this disk; if not, they are no part of what is in use.
    pub agent_on_this_disk: bool,
    /// The rest of what is in use: containers' output, build caches, everything else on this file system.
    pub other_bytes: u64,
}

/// What a task has on a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskDisk {
    /// ARN.
    pub task_arn: String,
    /// Last segment of the ARN.
    pub task_id: String,
    /// Family of the definition; absent when the agent does not have the task any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// What its containers have written over their images.
    pub writable_bytes: u64,
    /// Volumes that only its containers use.
    pub volume_bytes: u64,
}

/// A task that holds resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// ARN.
    pub task_arn: String,
    /// Last segment of the ARN.
    pub task_id: String,
    /// Family of the definition.
    pub family: String,
    /// CPU units.
    pub cpu_units: u32,
    /// MiB of memory.
    pub memory_mib: u32,
    /// Host ports.
    pub ports: Vec<HostPort>,
    /// Ids of GPUs; absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<String>,
    /// Since when.
    pub since: Time,
}

/// A task that waits for resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// Place in the queue; 1 is served first.
    pub position: usize,
    /// ARN.
    pub task_arn: String,
    /// Last segment of the ARN.
    pub task_id: String,
    /// Family of the definition.
    pub family: String,
    /// CPU units.
    pub cpu_units: u32,
    /// MiB of memory.
    pub memory_mib: u32,
    /// Host ports.
    pub ports: Vec<HostPort>,
    /// Ids of GPUs; absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<String>,
    /// Since when.
    pub since: Time,
    /// What it is short of, in words; absent = it is about to be admitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_of: Option<String>,
}
