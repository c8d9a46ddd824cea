//! Health of containers and of the container engine.

use super::series::is_tracked;
use super::wire::{ContainerHealth, InstanceStatus, TaskHealth};
use crate::domain::ids::UnixMillis;
use crate::domain::status::{ContainerStatus, Health};
use crate::domain::task::Task;

/// Tasks with containers that have a health check and have not ended.
pub fn health_tasks<'a>(tasks: impl Iterator<Item = &'a Task>, now: UnixMillis) -> Vec<TaskHealth> {
    let told = tasks.filter(|task| is_tracked(task)).map(|task| {
        let definition = &task.desired.definition;
        let checked = definition
            .containers
            .iter()
            .filter(|container| container.health_check.is_some());
        let containers = checked.filter_map(|container| {
            let known = task.known.containers.get(&container.name)?;
            (known.status != ContainerStatus::Stopped).then(|| ContainerHealth {
                container_name: container.name.to_string(),
                health_status: match known.health {
                    Health::Unknown => "UNKNOWN",
                    Health::Healthy => "HEALTHY",
                    Health::Unhealthy => "UNHEALTHY",
                },
                status_since: seconds(known.health_since.unwrap_or(now)),
            })
        });
        TaskHealth {
            task_arn: task.arn().to_string(),
            task_definition_family: definition.family.to_string(),
            task_definition_version: definition.revision.to_string(),
            containers: containers.collect(),
        }
    });
    told.filter(|task| !task.containers.is_empty()).collect()
}

/// The container engine: whether it has answered yet, and whether it does now.
pub fn runtime_status(
    answered_at: Option<UnixMillis>,
    answers: bool,
    changed_at: UnixMillis,
    now: UnixMillis,
) -> InstanceStatus {
    InstanceStatus {
        r#type: "ContainerRuntime",
        status: match (answered_at, answers) {
            (None, _) => "INITIALIZING",
            (Some(_), true) => "OK",
            (Some(_), false) => "IMPAIRED",
        },
        last_updated: seconds(now),
        last_status_change: seconds(changed_at),
    }
}

/// Seconds since 1970 with whole milliseconds.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "milliseconds of this era are far below 2^53"
)]
pub(super) fn seconds(at: UnixMillis) -> f64 {
    at.0 as f64 / 1000.0
}
