//! The requests of TCS as they are on the wire (API version 2015-03-10), as far as this agent sends them.

use serde::Serialize;

/// Use of tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishMetricsRequest {
    /// Whose, and where in its round.
    pub metadata: MetricsMetadata,
    /// Tasks; none = the instance is idle.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub task_metrics: Vec<TaskMetric>,
    /// Seconds since 1970.
    pub timestamp: f64,
}

/// Whose, and where in its round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricsMetadata {
    /// Cluster.
    pub cluster: String,
    /// ARN.
    pub container_instance: String,
    /// The same for all requests of a round.
    pub message_id: String,
    /// Nothing runs.
    pub idle: bool,
    /// The last of its round.
    pub fin: bool,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskMetric {
    /// ARN.
    pub task_arn: String,
    /// Family.
    pub task_definition_family: String,
    /// Revision.
    pub task_definition_version: String,
    /// Containers.
    pub container_metrics: Vec<ContainerMetric>,
}

/// One container.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerMetric {
    /// Name.
    pub container_name: String,
    /// Percent of the whole host.
    pub cpu_stats_set: CwStatsSet,
    /// MiB.
    pub memory_stats_set: CwStatsSet,
    /// Where the container has a network of its own or its task's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_stats_set: Option<NetworkStatsSet>,
    /// Bytes.
    pub storage_stats_set: StorageStatsSet,
    /// With a restart policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_stats_set: Option<RestartStatsSet>,
}

/// Values of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CwStatsSet {
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// How many.
    pub sample_count: i64,
    /// All together.
    pub sum: f64,
}

/// Counters of a round; what 63 bits do not hold is in the overflow members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ULongStatsSet {
    /// Smallest.
    pub min: i64,
    /// Beyond.
    pub overflow_min: i64,
    /// Largest.
    pub max: i64,
    /// Beyond.
    pub overflow_max: i64,
    /// How many.
    pub sample_count: i64,
    /// All together.
    pub sum: i64,
    /// Beyond.
    pub overflow_sum: i64,
}

/// Network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "the names say it; all are counters but the rates"
)]
pub struct NetworkStatsSet {
    pub rx_bytes: ULongStatsSet,
    pub rx_dropped: ULongStatsSet,
    pub rx_errors: ULongStatsSet,
    pub rx_packets: ULongStatsSet,
    pub tx_bytes: ULongStatsSet,
    pub tx_dropped: ULongStatsSet,
    pub tx_errors: ULongStatsSet,
    pub tx_packets: ULongStatsSet,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_bytes_per_second: Option<CwStatsSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_bytes_per_second: Option<CwStatsSet>,
}

/// Block devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageStatsSet {
    /// Read.
    pub read_size_bytes: ULongStatsSet,
    /// Written.
    pub write_size_bytes: ULongStatsSet,
}

/// Restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestartStatsSet {
    /// Since the last report.
    pub restart_count: i64,
}

/// Health of containers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishHealthRequest {
    /// Whose, and where in its round.
    pub metadata: HealthMetadata,
    /// Tasks.
    pub tasks: Vec<TaskHealth>,
    /// Seconds since 1970.
    pub timestamp: f64,
}

/// Whose, and where in its round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthMetadata {
    /// Cluster.
    pub cluster: String,
    /// ARN.
    pub container_instance: String,
    /// The same for all requests of a round.
    pub message_id: String,
    /// The last of its round.
    pub fin: bool,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskHealth {
    /// ARN.
    pub task_arn: String,
    /// Family.
    pub task_definition_family: String,
    /// Revision.
    pub task_definition_version: String,
    /// Containers.
    pub containers: Vec<ContainerHealth>,
}

/// One container.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerHealth {
    /// Name.
    pub container_name: String,
    /// `HEALTHY`, `UNHEALTHY` or `UNKNOWN`.
    pub health_status: &'static str,
    /// Seconds since 1970.
    pub status_since: f64,
}

/// How well the instance is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishInstanceStatusRequest {
    /// Whose.
    pub metadata: StatusMetadata,
    /// One entry a part.
    pub statuses: Vec<InstanceStatus>,
    /// Seconds since 1970.
    pub timestamp: f64,
}

/// Whose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusMetadata {
    /// Cluster.
    pub cluster: String,
    /// ARN.
    pub container_instance: String,
    /// Id of the request.
    pub request_id: String,
}

/// One part of the instance.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    /// `ContainerRuntime`.
    pub r#type: &'static str,
    /// `INITIALIZING`, `OK` or `IMPAIRED`.
    pub status: &'static str,
    /// Seconds since 1970.
    pub last_updated: f64,
    /// Seconds since 1970.
    pub last_status_change: f64,
}
