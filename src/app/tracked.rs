//! Which containers run, for the readings of their use. Pure.

use crate::domain::ids::TaskArn;
use crate::domain::status::{ContainerStatus, TaskStatus};
use crate::domain::task::Task;
use crate::reconcile::snapshot::Snapshot;
use crate::stats::{Tracked, TrackedContainer};

/// Tasks that have not stopped, with their containers that run.
pub(super) fn tracked(snapshot: &Snapshot) -> Tracked {
    let tasks = snapshot.tasks.iter();
    let live = tasks.filter(|(_, view)| view.task.known.status != TaskStatus::Stopped);
    Tracked {
        tasks: live
            .map(|(arn, view)| (TaskArn::clone(arn), running(&view.task)))
            .collect(),
    }
}

fn running(task: &Task) -> Vec<TrackedContainer> {
    let containers = task.known.containers.iter();
    let running = containers.filter_map(|(name, known)| {
        let id = known.docker_id.clone()?;
        (known.status == ContainerStatus::Running && !known.removed).then(|| TrackedContainer {
            name: name.clone(),
            docker_id: id,
            docker_name: task.desired.docker_name(name, known.attempt),
        })
    });
    running.collect()
}
