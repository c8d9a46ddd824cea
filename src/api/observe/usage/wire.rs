//! Wire types of usage.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::wire::Time;

/// What the host and each task use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// When the answer was made.
    pub now: Time,
    /// When the figures were read; absent = they never were: it is turned off, or the agent has just started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Time>,
    /// The host; absent where it does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostUsage>,
    /// The host's last hour, oldest first.
    pub history: Vec<UsagePoint>,
    /// Tasks that have not stopped, by ARN, each as of now.
    pub tasks: Vec<TaskUsage>,
}

/// The host as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostUsage {
    /// CPUs that are on.
    pub cpus: u32,
    /// CPUs that are busy, as a number; absent until it was read twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy_cpus: Option<f64>,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Memory that programs could still have, in bytes.
    pub memory_available_bytes: u64,
}

/// What one task uses, and used in the last hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskUsageAnswer {
    /// When the answer was made.
    pub now: Time,
    /// When the figures were read; absent = they never were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Time>,
    /// The task; absent = it has stopped, or nothing is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TaskUsage>,
    /// Its last hour, oldest first.
    pub history: Vec<UsagePoint>,
}

/// What one task uses now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskUsage {
    /// ARN.
    pub task_arn: String,
    /// Last segment of the ARN.
    pub task_id: String,
    /// All containers together; absent until one was read twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<UsageRates>,
    /// Memory in use by all containers, without page cache that can go, in bytes.
    pub memory_bytes: u64,
    /// Processes and threads of all containers.
    pub pids: u64,
    /// Containers that run, by name.
    pub containers: Vec<ContainerUsage>,
}

/// What one container uses now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerUsage {
    /// Name in the task.
    pub name: String,
    /// When it was read; absent = not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Time>,
    /// Absent until it was read twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<UsageRates>,
    /// Memory in use, without page cache that can go, in bytes.
    pub memory_bytes: u64,
    /// The limit that holds: its own, its task's or the host's memory, in bytes.
    pub memory_limit_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}

/// What happens in a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageRates {
    /// CPUs in use, as a number: 1.5 = one and a half.
    pub cpus: f64,
    /// Bytes received.
    pub rx_bytes: f64,
    /// Bytes sent.
    pub tx_bytes: f64,
    /// Bytes read from block devices.
    pub read_bytes: f64,
    /// Bytes written to block devices.
    pub written_bytes: f64,
}

/// Ten seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsagePoint {
    /// End of that time, in seconds since 1970.
    pub at: u32,
    /// CPUs in use on average, in thousandths of one.
    pub cpu_millis: u32,
    /// Most memory in use, in KiB.
    pub memory_kib: u32,
    /// Bytes received in a second, on average.
    pub rx_bytes: u32,
    /// Bytes sent in a second.
    pub tx_bytes: u32,
    /// Bytes read from block devices in a second.
    pub read_bytes: u32,
    /// Bytes written to block devices in a second.
    pub written_bytes: u32,
}
