//! Durable state.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::error::BoundaryError;
use crate::domain::draining::Draining;
use crate::domain::ids::{TaskArn, UnixMillis};
use crate::domain::task::{DesiredTask, KnownTask, Task, TaskEvent};

/// Longest timeline kept for one task, in events; older ones go first.
pub const MAX_EVENTS_PER_TASK: u32 = 500;

/// One durable change. A batch of them is one transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Desired state of a new or existing task.
    Desired(DesiredTask),
    /// Known state of a task, whole. Of a task that is not there it is left out.
    Known(TaskArn, KnownTask),
    /// The task and everything of it but its events is gone.
    Forget(TaskArn),
    /// An image was used or pulled.
    Image(ImageRecord),
    /// An image is no longer ours to remember.
    ForgetImage(String),
    /// An entry of a timeline.
    Event(TaskEvent),
    /// Whether the instance drains; `None` = it does not.
    Draining(Option<Draining>),
}

/// What the agent remembers of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRecord {
    /// Reference as containers name it, with an explicit tag or digest.
    pub reference: String,
    /// `sha256:…`.
    pub image_id: String,
    /// Pulled by the agent; `None` if it was found on the host.
    pub pulled_at: Option<UnixMillis>,
    /// Last time a task used it.
    pub last_used_at: UnixMillis,
    /// Bytes.
    pub size_bytes: u64,
}

/// Everything that could be read at start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// Good tasks.
    pub tasks: Vec<Task>,
    /// Images.
    pub images: Vec<ImageRecord>,
    /// Whether the instance drains; `None` = it does not.
    pub draining: Option<Draining>,
    /// What could not be read and was set aside, one line each.
    pub damage: Vec<Damage>,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The task it belonged to, if that much could be read.
    pub task: Option<TaskArn>,
    /// What and why.
    pub message: String,
}

/// An event with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Grows by one with each event and is never used twice.
    pub sequence: i64,
    /// The event.
    pub event: TaskEvent,
}

/// The durable store. One writer: the reconciler.
#[async_trait]
pub trait TaskStore: Send + Sync {
    /// Reads everything. A row that cannot be read is set aside and reported in `damage`; the rest is given.
    async fn load(&self) -> Result<Loaded, BoundaryError>;

    /// All changes are durable, or none: one transaction that survives power loss. Returns the sequence number of
    /// the last event written, 0 if there was none.
    async fn commit(&self, changes: &[Change]) -> Result<i64, BoundaryError>;

    /// As `commit`, but for power loss: until the next `flush`, or `commit` that changes something, it may take these
    /// changes and what was written after them, never less than whole transactions and never from the middle. The end
    /// of the program takes nothing. Much sooner done: for what can be seen again.
    async fn commit_unflushed(&self, changes: &[Change]) -> Result<i64, BoundaryError>;

    /// Everything committed survives power loss from now on.
    async fn flush(&self) -> Result<(), BoundaryError>;

    /// At most `limit` events after `sequence`, oldest first, of one task or of all.
    async fn events_after(
        &self,
        task: Option<&TaskArn>,
        sequence: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, BoundaryError>;

    /// Whether something that was written after `sequence` is gone, of one task or of all: there was no room for it any
    /// more, or the log was lost. Then the first sequence that is still there, 0 = nothing is. Of one task it may say so
    /// although only others are concerned.
    async fn events_gone_after(
        &self,
        task: Option<&TaskArn>,
        sequence: i64,
    ) -> Result<Option<i64>, BoundaryError>;

    /// The last events of each task that is there, at most so many each, oldest first.
    async fn recent_events(&self, per_task: u32) -> Result<Vec<StoredEvent>, BoundaryError>;

    /// Unflushed data is written and the file closed.
    async fn close(&self);
}

/// What this host is to the control plane, kept across restarts. One writer: the driver of connected mode.
#[async_trait]
pub trait InstanceStore: Send + Sync {
    /// Everything kept.
    async fn facts(&self) -> Result<BTreeMap<String, String>, BoundaryError>;

    /// All of these are durable, or none; others stay as they were.
    async fn keep(&self, facts: &[(&str, &str)]) -> Result<(), BoundaryError>;
}
