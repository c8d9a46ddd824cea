//! How a task ended, as whoever started it wants to know.
//!
//! **Invariant.** The essential container that exited first decides; those that were stopped because of it do not.

use super::ids::{ContainerName, UnixMillis};
use super::reason::ReasonName;
use super::status::{DesiredStatus, TaskStatus};
use super::task::{Exit, Task};

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::definition::{ContainerDefinition, TaskDefinition};
    use crate::domain::ids::{ClusterName, Family, Generation, TaskArn, TaskId};
    use crate::domain::image::ImageRef;
    use crate::domain::reason::Reason;
    use crate::domain::task::{
        DesiredTask, EcsFacts, KnownContainer, Origin, StopCause, TaskOptions,
    };
    use crate::domain::task_ids::TaskIds;

    /// Containers as name, essential, exit code and end in ms; no code = it never ran.
    fn task(containers: &[(&str, bool, Option<i64>, i64)]) -> Task {
        let definitions = containers
            .iter()
            .map(|(name, essential, ..)| ContainerDefinition {
                essential: *essential,
                ..ContainerDefinition::new(
                    ContainerName::parse(name).expect("a name"),
                    ImageRef::parse("busybox").expect("an image"),
                )
            });
        let definition =
            TaskDefinition::new(Family::parse("f").expect("a family"), definitions.collect());
        let id = TaskId::parse("t").expect("an id");
        let cluster = ClusterName::parse("default").expect("a cluster");
        let mut task = Task::new(DesiredTask {
            arn: TaskArn::standalone(&cluster, &id),
            generation: Generation(1),
            definition: Arc::new(definition),
            options: TaskOptions::default(),
            ids: TaskIds::default(),
            origin: Origin::Run,
            ecs: EcsFacts::default(),
            status: DesiredStatus::Running,
            stop_reason: None,
            remove: false,
            arrived_at: UnixMillis(0),
        });
        task.known.status = TaskStatus::Stopped;
        for (name, _, code, at) in containers {
            let known = KnownContainer {
                started_at: code.map(|_| UnixMillis(1)),
                exit: code.map(|code| Exit {
                    code: Some(code),
                    at: UnixMillis(*at),
                    oom_killed: false,
                }),
                ..KnownContainer::default()
            };
            let name = ContainerName::parse(name).expect("a name");
            task.known.containers.insert(name, known);
        }
        task
    }

    #[test]
    fn the_first_essential_exit_decides() {
        for (containers, expected) in [
            (
                &[("a", true, Some(0), 5), ("b", true, Some(137), 9)][..],
                Outcome::Completed,
            ),
            (
                &[("a", true, Some(0), 9), ("b", true, Some(3), 5)],
                Outcome::Failed,
            ),
            (
                &[("a", true, Some(0), 9), ("init", false, Some(3), 5)],
                Outcome::Completed,
            ),
            (&[("a", true, None, 0)], Outcome::Failed),
        ] {
            assert_eq!(outcome(&task(containers)), Some(expected), "{containers:?}");
        }
    }

    #[test]
    fn an_end_that_was_asked_for_is_told_apart_from_one_that_came_first() {
        let mut asked = task(&[("a", true, Some(143), 5)]);
        asked.desired.status = DesiredStatus::Stopped;
        asked.desired.stop_reason = Some(Reason::new(ReasonName::UserInitiated, "stop"));
        assert_eq!(outcome(&asked), Some(Outcome::Asked));
        asked.desired.stop_reason = Some(Reason::new(ReasonName::Replaced, "newer"));
        assert_eq!(outcome(&asked), Some(Outcome::Replaced));
        asked.known.stop = Some(StopCause {
            reason: Reason::new(ReasonName::EssentialContainerExited, "a"),
            at: UnixMillis(5),
        });
        assert_eq!(outcome(&asked), Some(Outcome::Failed));
        asked.known.status = TaskStatus::Running;
        assert_eq!(outcome(&asked), None);
    }
}
