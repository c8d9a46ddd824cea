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
