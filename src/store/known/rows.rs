//! What was observed of a task, as rows: one of `known_tasks`, and those of the tables that hang on it.
//!
//! **Invariants.** The text form, which the checksum covers, leaves out absent fields and names no task id. Lists are
//! in key order, as the tables give them back.

use serde::Serialize;

/// Everything observed of one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::store) struct KnownRows {
    pub task: KnownRow,
    pub containers: Vec<ContainerRow>,
    pub bindings: Vec<BindingRow>,
    pub reservations: Vec<ReservationRow>,
    pub resources: Vec<ResourceRow>,
    pub conditions: Vec<ConditionRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<NetworkRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<MountRow>,
}

/// A row of `known_tasks` without its task id and checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::store) struct KnownRow {
    pub status: String,
    pub observed_generation: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admitted_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_started_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_stopped_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_stopped_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_containers: Option<String>,
}

/// A row of `containers` without its task id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::store) struct ContainerRow {
    pub name: String,
    pub status: String,
    pub attempt: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_since: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_oom_killed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_message: Option<String>,
    pub health: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_since: Option<i64>,
    pub restart_count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_restart_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_requested_at: Option<i64>,
    pub degraded_log: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settles_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_failures: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_not_before: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_reason_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_reason_message: Option<String>,
    pub removed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_output: Option<String>,
}

/// A row of `bindings` without its task id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::store) struct BindingRow {
    pub container: String,
    pub position: i64,
    pub container_port: i64,
    pub protocol: String,
    pub bind_ip: String,
    pub host_port: i64,
}

/// A row of `networks` without its task id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::store) struct NetworkRow {
    pub container: String,
    pub position: i64,
    pub name: String,
    pub ipv4: String,
    pub ipv4_prefix: i64,
    pub ipv4_gateway: String,
    pub ipv6: String,
    pub ipv6_prefix: i64,
    pub ipv6_gateway: String,
    pub mac: String,
}

/// A row of `mounts` without its task id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::store) struct MountRow {
    pub container: String,
    pub position: i64,
    pub name: String,
    pub source: String,
    pub destination: String,
}

/// A row of `reservations` without its task id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::store) struct ReservationRow {
    pub container: String,
    pub position: i64,
    pub mapping: i64,
    pub first_host_port: i64,
    pub count: i64,
    pub protocol: String,
}

/// A row of `resources` without its task id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::store) struct ResourceRow {
    pub kind: String,
    pub name: String,
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_failures: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_not_before: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_reason_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_reason_message: Option<String>,
}

/// A row of `conditions` without its task id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::store) struct ConditionRow {
    pub position: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    pub cause: String,
    pub message: String,
    pub since: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<i64>,
    pub next_action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<i64>,
}
