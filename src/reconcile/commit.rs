//! What a turn has decided becomes durable, and is told.
//!
//! A commit that an answer or an action rests on waits for the disk. One that only says what was seen does not: Docker
//! writes the same down by itself and tells it again, so after a power loss it is seen again. What the control plane
//! hears of an end does not wait for two flushes of one disk in turn.

use std::sync::Arc;

use tracing::info;

use crate::boundary::BoundaryError;
use crate::boundary::store::{Change, StoredEvent};
use crate::domain::ids::{ContainerName, TaskArn, UnixMillis};

use super::commands::Staged;
use super::entry::Pass;
use super::worker::Reconciler;

/// How the rows stand to what is in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    /// A commit failed: whether it was durable is not known until they have been read again.
    pub(super) in_doubt: bool,
    /// Something that was seen is committed, and power loss may still take it.
    unflushed: bool,
}

impl Default for Rows {
    /// Of a process that has committed nothing: an earlier one may have left something.
    fn default() -> Self {
        Self {
            in_doubt: false,
            unflushed: true,
        }
    }
}

impl Reconciler {
    /// Writes what commands and passes change, in one transaction.
    pub(super) async fn write_down(
        &mut self,
        staged: &Staged,
        passes: &[(TaskArn, Pass)],
        now: UnixMillis,
    ) -> Result<(), BoundaryError> {
        let mut changes = self.adopted_changes();
        changes.extend(staged.changes(&self.entries));
        for (arn, pass) in passes {
            if let Some(entry) = self.entries.get(arn) {
                changes.extend(entry.changes(pass));
            }
        }
        let promises = !self.adopted.is_empty() || !staged.promises_nothing();
        let only_saw = |(arn, pass): &(TaskArn, Pass)| {
            let entry = self.entries.get(arn);
            entry.is_none_or(|entry| entry.only_saw(pass))
        };
        if !promises && passes.iter().all(only_saw) {
            return self.commit_seen(&changes, now).await;
        }
        self.commit(&changes, now).await?;
        self.flush_all(&changes).await
    }

    /// Where something that was seen is not flushed, what the action or answer rests on may be that.
    async fn flush_all(&mut self, changes: &[Change]) -> Result<(), BoundaryError> {
        // An entry of a timeline is always new, and a commit that changes something takes along all before it.
        let took_all = changes
            .iter()
            .any(|change| matches!(change, Change::Event(_)));
        if self.rows.unflushed && !took_all {
            self.deps.store.flush().await?;
        }
        self.rows.unflushed = false;
        Ok(())
    }

    /// Rebuilt tasks that no row knows yet, as they are wanted now: a command may have changed them since.
    pub(super) fn adopted_changes(&self) -> Vec<Change> {
        self.adopted
            .iter()
            .filter_map(|desired| self.entries.get(&desired.arn))
            .map(|entry| Change::Desired(entry.task.desired.clone()))
            .collect()
    }

    /// Survives power loss.
    pub(super) async fn commit(
        &mut self,
        changes: &[Change],
        now: UnixMillis,
    ) -> Result<(), BoundaryError> {
        if !changes.is_empty() {
            let last = self.deps.store.commit(changes).await?;
            self.take_committed(changes, last, now);
        }
        Ok(())
    }

    /// Survives the end of this program.
    async fn commit_seen(
        &mut self,
        changes: &[Change],
        now: UnixMillis,
    ) -> Result<(), BoundaryError> {
        if !changes.is_empty() {
            self.rows.unflushed = true;
            let last = self.deps.store.commit_unflushed(changes).await?;
            self.take_committed(changes, last, now);
        }
        Ok(())
    }

    fn take_committed(&mut self, changes: &[Change], last: i64, now: UnixMillis) {
        self.view.committed_at = Some(now);
        self.view.store_error = None;
        let told: Vec<_> = changes
            .iter()
            .filter_map(|change| {
                if let Change::Event(event) = change {
                    Some(event.clone())
                } else {
                    None
                }
            })
            .collect();
        let first = last
            .saturating_sub(i64::try_from(told.len()).unwrap_or(0))
            .saturating_add(1);
        for (sequence, event) in (first..).zip(told) {
            info!(
                task.arn = %event.arn,
                container.name = event.container.as_ref().map(ContainerName::as_str),
                event = event.kind,
                "{}",
                event.message
            );
            self.tell(StoredEvent { sequence, event });
        }
    }

    /// Shows an event that is committed to whoever looks or listens.
    fn tell(&mut self, stored: StoredEvent) {
        self.view.last_event = stored.sequence;
        if let Some(entry) = self.entries.get_mut(&stored.event.arn) {
            Arc::make_mut(&mut entry.timeline).push(stored.clone());
        }
        // Nobody need listen.
        let _listeners = self.events.send(stored);
    }
}
