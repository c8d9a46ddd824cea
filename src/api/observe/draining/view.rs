//! Draining as it stands, from a snapshot. Pure.

use super::wire::DrainState;
use crate::domain::ids::UnixMillis;
use crate::reconcile::plan::admission;
use crate::reconcile::snapshot::Snapshot;

/// Draining as it stands.
pub(in crate::api) fn drain_state(snapshot: &Snapshot, now: UnixMillis) -> DrainState {
    let draining = snapshot.engine.draining.as_ref();
    let tasks = || snapshot.tasks.values().map(|view| &view.task);
    DrainState {
        now: now.into(),
        draining: draining.is_some(),
        since: draining.map(|draining| draining.since.into()),
        reason: draining
            .map(|draining| draining.reason.clone())
            .filter(|reason| !reason.is_empty()),
        active_tasks: tasks().filter(|task| admission::holds(task)).count(),
        waiting_tasks: tasks().filter(|task| admission::waits(task)).count(),
    }
}
