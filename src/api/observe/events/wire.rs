//! Wire types of the event log and its stream.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::observe::task::wire::TaskSummary;
use crate::api::wire::Time;
use crate::boundary::store::StoredEvent;

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum StreamItem {
    /// A task as it is, before what happens to it; with `snapshot` only.
    Task(Box<TaskSummary>),
    /// Every task has been told; what follows happened after that.
    Sync(StreamSync),
    /// Something happened.
    Event(EventRecord),
    /// Nothing did for a while; the stream is alive.
    Heartbeat,
    /// The stream ends before everything was sent. Without this line a stream that ends is complete.
    End(StreamEnd),
}

/// The end of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamSync {
    /// The place in the log that the snapshot stands for.
    pub sequence: i64,
}

/// One entry of the event log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventRecord {
    /// Place in the log; grows, never used twice. Pass it as `after` or `Last-Event-ID` to go on from here.
    pub sequence: i64,
    /// When.
    pub at: Time,
    /// Task.
    pub task_arn: String,
    /// Last segment of the task's ARN.
    pub task_id: String,
    /// Container; absent = the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What happened as one word: `Pulled`, `Started`, `Exited`, …
    pub kind: String,
    /// What happened in words.
    pub message: String,
}

/// Why a stream ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamEnd {
    /// Why.
    pub reason: EndReason,
    /// In words.
    pub message: String,
    /// Pass it as `after`, with `follow`, to go on without a gap.
    pub resume_after: i64,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum EndReason {
    /// As many were sent as asked for; there may be more.
    Limit,
    /// The reader takes events more slowly than they come.
    TooSlow,
    /// The event log cannot be read now.
    StoreUnavailable,
    /// The agent is shutting down.
    ShuttingDown,
}

impl From<&StoredEvent> for EventRecord {
    fn from(stored: &StoredEvent) -> Self {
        let event = &stored.event;
        Self {
            sequence: stored.sequence,
            at: event.at.into(),
            task_arn: event.arn.to_string(),
            task_id: event.arn.task_id().to_string(),
            container: event.container.as_ref().map(ToString::to_string),
            kind: event.kind.clone(),
            message: event.message.clone(),
        }
    }
}
