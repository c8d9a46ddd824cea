//! Health of containers and of the container engine.

use super::series::{is_tracked, runs};
use super::wire::{ContainerHealth, InstanceStatus, TaskHealth};
use crate::domain::ids::UnixMillis;
use crate::domain::status::Health;
use crate::domain::task::Task;

/// Tasks with containers that have a health check and run.
pub fn health_tasks<'a>(tasks: impl Iterator<Item = &'a Task>, now: UnixMillis) -> Vec<TaskHealth> {
    let told = tasks.filter(|task| is_tracked(task)).map(|task| {
        let definition = &task.desired.definition;
        let checked = definition
            .containers
            .iter()
            .filter(|container| container.health_check.is_some());
        let containers = checked.filter_map(|container| {
            let known = task.known.containers.get(&container.name)?;
            runs(known).then(|| ContainerHealth {
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

/// How well the container engine was when it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeHealth {
    /// Whether it answered; `None` = nobody has looked yet.
    answers: Option<bool>,
    /// When that was, and since when it has been so.
    looked_at: UnixMillis,
    changed_at: UnixMillis,
}

impl RuntimeHealth {
    /// Nobody has looked yet.
    pub fn new(now: UnixMillis) -> Self {
        Self {
            answers: None,
            looked_at: now,
            changed_at: now,
        }
    }

    /// Somebody has. True = it is not as it was before.
    pub fn looked(&mut self, answers: bool, at: UnixMillis) -> bool {
        let news = self.answers != Some(answers);
        if news {
            self.changed_at = at;
        }
        (self.answers, self.looked_at) = (Some(answers), at);
        news
    }

    /// As it is told.
    pub fn status(&self) -> InstanceStatus {
        InstanceStatus {
            r#type: "ContainerRuntime",
            status: match self.answers {
                None => "INITIALIZING",
                Some(true) => "OK",
                Some(false) => "IMPAIRED",
            },
            last_updated: seconds(self.looked_at),
            last_status_change: seconds(self.changed_at),
        }
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
