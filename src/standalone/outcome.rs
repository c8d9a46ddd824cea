//! How a task ended, as whoever started it wants to know.
//!
//! **Invariant.** The essential container that exited first decides; those that were stopped because of it do not.

use crate::domain::ids::{ContainerName, UnixMillis};
use crate::domain::reason::ReasonName;
use crate::domain::status::{DesiredStatus, TaskStatus};
use crate::domain::task::{Exit, Task};

/// How a stopped task came to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ended by itself: its first essential container exited with code 0.
    Completed,
    /// It ended by itself, otherwise.
    Failed,
    /// Somebody asked for the stop.
    Asked,
    /// Its file is gone or newer.
    Replaced,
}

/// How the task ended; `None` while it has not.
pub fn outcome(task: &Task) -> Option<Outcome> {
    if task.known.status != TaskStatus::Stopped {
        return None;
    }
    // What happened first counts: a container that failed before the stop was asked for is a failure.
    if task.known.stop.is_none() && task.desired.status == DesiredStatus::Stopped {
        let replaced = task
            .desired
            .stop_reason
            .as_ref()
            .is_some_and(|reason| reason.name == ReasonName::Replaced);
        return Some(if replaced {
            Outcome::Replaced
        } else {
            Outcome::Asked
        });
    }
    Some(match first_essential_exit(task) {
        Some((_, exit)) if exit.code == Some(0) => Outcome::Completed,
        _ => Outcome::Failed,
    })
}

/// The essential container that exited first, and how. `None` if none has run to an end.
pub fn first_essential_exit(task: &Task) -> Option<(&ContainerName, &Exit)> {
    task.desired
        .definition
        .containers
        .iter()
        .filter(|container| container.essential)
        .filter_map(|container| {
            let (name, known) = task.known.containers.get_key_value(&container.name)?;
            known.started_at?;
            Some((name, known.exit.as_ref()?))
        })
        .min_by_key(|(name, exit)| (exit.at, (*name).clone()))
}

/// When the task came to rest: as recorded, else when its last container ended.
pub fn ended_at(task: &Task) -> Option<UnixMillis> {
    let exits = task.known.containers.values();
    task.known.stopped_at.or_else(|| {
        exits
            .filter_map(|known| Some(known.exit.as_ref()?.at))
            .max()
    })
}
