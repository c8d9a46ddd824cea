//! What the pure parts ask about the engine, answered from a snapshot.

use crate::domain::ids::TaskArn;
use crate::domain::status::DesiredStatus;
use crate::domain::task::Origin;
use crate::ecs::acs::Tasks;
use crate::reconcile::snapshot::Snapshot;

/// The tasks of a snapshot.
pub(super) struct SnapshotTasks<'a>(pub(super) &'a Snapshot);

impl Tasks for SnapshotTasks<'_> {
    fn knows(&self, arn: &TaskArn) -> bool {
        self.0.tasks.contains_key(arn)
    }

    fn wanted_running(&self) -> Vec<TaskArn> {
        let tasks = self.0.tasks.iter().filter(|(_, view)| {
            let task = &view.task;
            // Tasks of this host's own are none of the control plane's.
            task.desired.origin == Origin::Ecs && task.effective_desired() == DesiredStatus::Running
        });
        tasks.map(|(arn, _)| arn.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::sample;
    use crate::domain::task::{Task, TaskOptions};
    use crate::reconcile::snapshot::TaskView;

    /// A task that is wanted running, of that origin.
    fn view(origin: Origin) -> Arc<TaskView> {
        let mut task = Task::new(sample::desired(
            sample::definition(&["app"]),
            TaskOptions::default(),
        ));
        task.desired.origin = origin;
        Arc::new(TaskView {
            task,
            in_flight: Vec::new(),
            planned: Vec::new(),
            timeline: Arc::default(),
        })
    }

    #[test]
    fn check_092_tasks_of_this_hosts_own_are_no_candidates() {
        let mut snapshot = Snapshot::default();
        let origins = [
            Origin::Ecs,
            Origin::Api,
            Origin::Run,
            Origin::Adopted,
            Origin::File("f".to_owned()),
        ];
        for (number, origin) in origins.into_iter().enumerate() {
            let arn = sample::arn(&format!("t{number}"));
            snapshot.tasks.insert(arn, view(origin));
        }
        let tasks = SnapshotTasks(&snapshot);
        assert_eq!(tasks.wanted_running(), [sample::arn("t0")]);
        assert!(tasks.knows(&sample::arn("t1")));
    }
}
