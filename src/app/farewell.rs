//! The last thing before the host goes down: tasks of ECS are stopped in their order while Docker and the network are
//! there, and ECS is told how they ended.
//!
//! **Invariants.** From here on no work is taken from ECS. Nothing is stopped unless the system itself says that it goes
//! down: an agent that is restarted, upgraded or stopped leaves all containers running. Tasks that are this host's own
//! affair are left alone, since it wants them when it is back. What is not over in time is told after the boot, from the
//! rows.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::domain::ids::TaskArn;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::status::{DesiredStatus, TaskStatus};
use crate::domain::task::Task;
use crate::ecs::report::plan::is_outstanding;
use crate::platform::host_goes_down;
use crate::reconcile::ReconcilerHandle;
use crate::reconcile::handle::HandleError;
use crate::reconcile::snapshot::Snapshot;

/// Stops that are asked for at once: they share commits, and the engine's queue holds more.
const AT_ONCE: usize = 256;

/// How often it is looked for what no news announces: a stop that could not be written down.
const PACE: Duration = Duration::from_secs(1);

/// Where the host goes down, takes leave of ECS, which would place others where its tasks have stopped, and stops
/// these; comes back when that is done and told, or after `limit`.
///
/// `leave` is `None` in standalone mode.
pub(super) async fn say(
    engine: &ReconcilerHandle,
    leave: Option<&CancellationToken>,
    limit: Duration,
) {
    let count = || of_ecs(&engine.snapshot()).count();
    if (leave.is_none() && count() == 0) || !host_goes_down().await {
        return;
    }
    if let Some(leave) = leave {
        leave.cancel();
    }
    let count = count();
    if count == 0 {
        return;
    }
    info!(
        event = "host-shutdown",
        tasks = count,
        "the host goes down: tasks of ECS are stopped and ECS is told"
    );
    if tokio::time::timeout(limit, stop_all(engine)).await.is_err() {
        let snapshot = engine.snapshot();
        let left = of_ecs(&snapshot).filter(|task| !is_over(task)).count();
        let seconds = limit.as_secs();
        warn!(
            event = "host-shutdown-late",
            tasks = left,
            seconds,
            "tasks of ECS have not stopped in time, or ECS has not been told; it is told after the boot"
        );
    }
}

async fn stop_all(engine: &ReconcilerHandle) {
    let mut changes = engine.changes();
    let mut asked = BTreeSet::new();
    loop {
        let snapshot = engine.snapshot();
        let wanted: Vec<TaskArn> = of_ecs(&snapshot)
            .filter(|task| task.effective_desired() == DesiredStatus::Running)
            .map(|task| task.arn().clone())
            .filter(|arn| !asked.contains(arn))
            .collect();
        let stops = wanted.into_iter().map(|arn| stop(engine, arn));
        let stops = stream::iter(stops).buffer_unordered(AT_ONCE);
        let durable: Vec<Option<TaskArn>> = stops.collect().await;
        asked.extend(durable.into_iter().flatten());
        if of_ecs(&engine.snapshot()).all(is_over) {
            return;
        }
        // Closed: the engine has ended, and nobody stops anything any more.
        if let Ok(Err(_)) = tokio::time::timeout(PACE, changes.changed()).await {
            return;
        }
    }
}

/// The task, if that it is to stop is durable.
async fn stop(engine: &ReconcilerHandle, arn: TaskArn) -> Option<TaskArn> {
    let reason = Reason::new(ReasonName::HostShutdown, "the host goes down");
    match engine.stop(&arn, reason).await {
        Ok(_) | Err(HandleError::NotFound(_)) => Some(arn),
        Err(_) => None,
    }
}

fn of_ecs(snapshot: &Snapshot) -> impl Iterator<Item = &Task> {
    let tasks = snapshot.tasks.values().map(|view| &view.task);
    tasks.filter(|task| task.is_of_ecs())
}

/// It has stopped, and ECS knows all of it.
fn is_over(task: &Task) -> bool {
    task.known.status == TaskStatus::Stopped && !is_outstanding(task)
}
