//! Reading the event log with a deadline.

use std::time::Duration;

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
