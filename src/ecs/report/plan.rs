//! What of a task is to be submitted now: known against acknowledged. Pure.
//!
//! **Invariants.** A status is submitted only if it is beyond the acknowledged one, so what was acknowledged is never
//! sent again. After `STOPPED` was acknowledged nothing of the task is. Containers of the agent's own are never
//! reported. The change is made from the rows as they are: a status that was passed over is not made up for.

use super::bindings::{Excluded, network_bindings};
use super::change::{self, ContainerChange, TaskChange};
use crate::domain::ids::ContainerName;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::status::{ContainerStatus, TaskStatus};
use crate::domain::task::{KnownContainer, Origin, Reported, Task};

/// What is to be done about a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// All is acknowledged, or nothing is to be told yet.
    Nothing,
    /// Only containers have news: they may wait a while for the task's.
    Later(TaskChange, Reported),
    /// The task has news.
    Now(TaskChange, Reported),
    /// It has news that cannot be told: the container with too many bindings.
    Stuck(ContainerName),
}

/// Looks at one task of which that much was acknowledged. With a change comes what is acknowledged when it is, or given
/// up when ECS will never take it.
pub fn due(task: &Task, reported: &Reported, excluded: Excluded) -> Due {
    let known = &task.known;
    if task.desired.origin != Origin::Ecs || reported.status == Some(TaskStatus::Stopped) {
        return Due::Nothing;
    }
    let status = reported_status(known.status);
    let task_news = match reported.status {
        None => status > TaskStatus::Pending,
        Some(before) => status > before,
    };
    let told = |name: &ContainerName, container: &KnownContainer| {
        let status = told_status(container)?;
        let before = reported.containers.get(name);
        before
            .is_none_or(|before| *before < status)
            .then_some(status)
    };
    // Most tasks have nothing to tell most of the time.
    if !task_news && own(task).all(|(name, container)| told(name, container).is_none()) {
        return Due::Nothing;
    }
    let mut changes = Vec::new();
    let mut containers = reported.containers.clone();
    for (name, container) in own(task) {
        let Some(told) = told(name, container) else {
            continue;
        };
        match container_change(task, name, container, told, excluded) {
            Some(change) => changes.push(change),
            None => return Due::Stuck(name.clone()),
        }
        containers.insert(name.clone(), told);
    }
    // Digests are worth a first report of their own; a container that runs before its task does waits for it.
    let digests = reported.status.is_none()
        && status == TaskStatus::Pending
        && !changes.is_empty()
        && changes.iter().all(|change| change.status == "PENDING");
    let change = TaskChange {
        task: task.arn().clone(),
        status: status.wire(),
        reason: if status == TaskStatus::Stopped {
            stop_reason(task)
        } else {
            String::new()
        },
        containers: changes,
        pull_started_at: known.pull_started_at,
        pull_stopped_at: known.pull_stopped_at,
        execution_stopped_at: known.execution_stopped_at,
    };
    let acknowledged = Reported {
        status: Some(status.max(reported.status.unwrap_or_default())),
        containers,
    };
    if task_news || digests {
        Due::Now(change, acknowledged)
    } else {
        Due::Later(change, acknowledged)
    }
}

/// Whether ECS has still to acknowledge something of the task.
pub fn is_outstanding(task: &Task) -> bool {
    // Which ports would be told changes nothing about whether something is.
    let all = Excluded {
        ipv6: false,
        ipv4: false,
    };
    due(task, &task.known.reported, all) != Due::Nothing
}

/// `Created` is no status of its own to ECS.
fn reported_status(status: TaskStatus) -> TaskStatus {
    match status {
        TaskStatus::Pending | TaskStatus::Created => TaskStatus::Pending,
        TaskStatus::Running | TaskStatus::Stopped => status,
    }
}

fn own(task: &Task) -> impl Iterator<Item = (&ContainerName, &KnownContainer)> {
    task.known
        .containers
        .iter()
        .filter(|(name, _)| !name.is_internal())
}

/// The status that is told of a container; `None` = nothing yet. `Pulled` stands for a digest that is known.
fn told_status(container: &KnownContainer) -> Option<ContainerStatus> {
    match container.status {
        ContainerStatus::Running | ContainerStatus::Stopped => Some(container.status),
        ContainerStatus::None | ContainerStatus::Pulled | ContainerStatus::Created => container
            .image_digest
            .is_some()
            .then_some(ContainerStatus::Pulled),
    }
}

fn container_change(
    task: &Task,
    name: &ContainerName,
    known: &KnownContainer,
    told: ContainerStatus,
    excluded: Excluded,
) -> Option<ContainerChange> {
    let definition = &task.desired.definition;
    let bindings = match definition.container(name) {
        // Of a container that has stopped they are over, and its end must be told.
        Some(container) => {
            let bindings = network_bindings(definition.network_mode, container, known, excluded);
            match bindings {
                Ok(bindings) => bindings,
                Err(_) if told == ContainerStatus::Stopped => Vec::new(),
                Err(_) => return None,
            }
        }
        None => Vec::new(),
    };
    let exit = known
        .exit
        .as_ref()
        .filter(|_| told == ContainerStatus::Stopped);
    let code = exit.and_then(|exit| exit.code);
    Some(ContainerChange {
        name: name.to_string(),
        status: match told {
            ContainerStatus::Running => "RUNNING",
            ContainerStatus::Stopped => "STOPPED",
            ContainerStatus::None | ContainerStatus::Pulled | ContainerStatus::Created => "PENDING",
        },
        runtime_id: known.docker_id.as_ref().map(|id| change::id(id.as_str())),
        exit_code: code.map(wire_code),
        reason: known.reason.as_ref().and_then(container_reason),
        image_digest: known.image_digest.as_deref().map(change::id),
        network_bindings: bindings,
    })
}

/// ECS takes 32 bits with a sign. Docker gives codes of Windows without one, such as 0xC000013A for Ctrl-C: the bits are
/// the same (reference agent).
fn wire_code(code: i64) -> i32 {
    let [a, b, c, d, ..] = code.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// An exit speaks for itself by its code.
fn container_reason(reason: &Reason) -> Option<String> {
    (!speaks_for_itself(reason.name)).then(|| change::reason(&reason.to_string()))
}

/// An end that was asked for or has a code.
fn speaks_for_itself(name: ReasonName) -> bool {
    matches!(
        name,
        ReasonName::EssentialContainerExited
            | ReasonName::ContainerExited
            | ReasonName::UserInitiated
    )
}

/// What is no container's own trouble; ECS words the rest itself.
fn stop_reason(task: &Task) -> String {
    let found = task.known.stop.as_ref().map(|stop| &stop.reason);
    let Some(reason) = found.or(task.desired.stop_reason.as_ref()) else {
        return String::new();
    };
    let own = own(task).any(|(_, container)| container.reason.as_ref() == Some(reason));
    let said = speaks_for_itself(reason.name);
    if own || said {
        return String::new();
    }
    change::reason(&reason.to_string())
}
