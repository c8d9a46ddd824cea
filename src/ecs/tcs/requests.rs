//! Rounds cut into requests: so many tasks each, and so many bytes.

use serde::Serialize;
use serde_json::json;

use super::health::seconds;
use super::wire::{
    HealthMetadata, InstanceStatus, MetricsMetadata, PublishHealthRequest,
    PublishInstanceStatusRequest, PublishMetricsRequest, StatusMetadata, TaskHealth, TaskMetric,
};
use crate::domain::ids::UnixMillis;

/// Most tasks of a request (reference agent).
const MAX_TASKS: usize = 10;

/// Most bytes of a request (reference agent).
const MAX_BYTES: usize = 1024 * 1024;

/// What all requests of a round share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Cluster.
    pub cluster: String,
    /// ARN.
    pub instance: String,
    /// Id of the round.
    pub id: String,
    /// When it was.
    pub at: UnixMillis,
}

/// The frames of a round of metrics. `idle` = nothing runs; a round in which something does and nothing could be
/// measured says nothing.
pub fn metrics_requests(round: &Round, idle: bool, tasks: Vec<TaskMetric>) -> Vec<String> {
    let request = |tasks: Vec<TaskMetric>, fin: bool| PublishMetricsRequest {
        metadata: MetricsMetadata {
            cluster: round.cluster.clone(),
            container_instance: round.instance.clone(),
            message_id: round.id.clone(),
            idle,
            fin,
        },
        task_metrics: tasks,
        timestamp: seconds(round.at),
    };
    if idle {
        return vec![frame("PublishMetricsRequest", &request(Vec::new(), true))];
    }
    let empty = frame("PublishMetricsRequest", &request(Vec::new(), false)).len();
    let mut cut: Vec<Vec<TaskMetric>> = Vec::new();
    let mut bytes = usize::MAX;
    for task in tasks {
        // With the comma behind it.
        let size = json!(task).to_string().len().saturating_add(1);
        let full = cut.last().is_none_or(|last| last.len() >= MAX_TASKS);
        if full || bytes.saturating_add(size) > MAX_BYTES {
            cut.push(Vec::new());
            bytes = empty;
        }
        bytes = bytes.saturating_add(size);
        if let Some(last) = cut.last_mut() {
            last.push(task);
        }
    }
    let last = cut.len();
    let numbered = (1..).zip(cut);
    numbered
        .map(|(number, tasks)| frame("PublishMetricsRequest", &request(tasks, number == last)))
        .collect()
}

/// The frames of a round of health; none, if there is nothing to say.
pub fn health_requests(round: &Round, tasks: &[TaskHealth]) -> Vec<String> {
    let last = tasks.len().div_ceil(MAX_TASKS);
    let numbered = (1..).zip(tasks.chunks(MAX_TASKS));
    let requests = numbered.map(|(number, tasks)| PublishHealthRequest {
        metadata: HealthMetadata {
            cluster: round.cluster.clone(),
            container_instance: round.instance.clone(),
            message_id: round.id.clone(),
            fin: number == last,
        },
        tasks: tasks.to_vec(),
        timestamp: seconds(round.at),
    });
    requests
        .map(|request| frame("PublishHealthRequest", &request))
        .collect()
}

/// The frame that says how well the instance is.
pub fn status_request(round: &Round, status: InstanceStatus) -> String {
    let request = PublishInstanceStatusRequest {
        metadata: StatusMetadata {
            cluster: round.cluster.clone(),
            container_instance: round.instance.clone(),
            request_id: round.id.clone(),
        },
        statuses: vec![status],
        timestamp: seconds(round.at),
    };
    frame("PublishInstanceStatusRequest", &request)
}

fn frame(kind: &str, request: &impl Serialize) -> String {
    json!({"type": kind, "message": request}).to_string()
}
