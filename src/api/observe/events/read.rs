//! Reading the event log with a deadline.

use std::collections::VecDeque;
use std::time::Duration;

use super::wire::EventRecord;
use crate::boundary::store::StoredEvent;
use crate::boundary::{BoundaryError, TaskStore};
use crate::domain::ids::TaskArn;

/// Events read at once: a page of 500 is some 100 KiB.
pub(super) const PAGE: u32 = 500;

/// Longest wait for a page; a healthy store takes milliseconds.
const READ_DEADLINE: Duration = Duration::from_secs(5);

/// At most [`PAGE`] events after `sequence`, oldest first.
pub(super) async fn page(
    store: &dyn TaskStore,
    task: Option<&TaskArn>,
    sequence: i64,
) -> Result<Vec<StoredEvent>, BoundaryError> {
    tokio::time::timeout(READ_DEADLINE, store.events_after(task, sequence, PAGE))
        .await
        .unwrap_or_else(|_| Err(BoundaryError::deadline("read events", READ_DEADLINE)))
}

/// The last `count` entries of a task's timeline, oldest first. The store bounds a timeline, so this is a page or two.
pub(in crate::api::admin) async fn last_events(
    store: &dyn TaskStore,
    task: &TaskArn,
    count: u32,
) -> Result<Vec<EventRecord>, BoundaryError> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut last = VecDeque::new();
    let mut after = 0;
    if count == 0 {
        return Ok(Vec::new());
    }
    loop {
        let more = page(store, Some(task), after).await?;
        let Some(newest) = more.last() else {
            break;
        };
        after = newest.sequence;
        last.extend(more);
        last.drain(..last.len().saturating_sub(count));
    }
    Ok(last.iter().map(EventRecord::from).collect())
}
