//! What the engine shows of itself: everything in memory, so that asking never waits for Docker or SQLite.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::timeline::Timeline;
use crate::domain::draining::Draining;
use crate::domain::host::HostFacts;
use crate::domain::ids::{ContainerName, TaskArn, UnixMillis};
use crate::domain::runtime::PullProgress;
use crate::domain::task::{Step, Task};

/// The whole state at one instant. Published by the worker after each commit.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Tasks by key.
    pub tasks: BTreeMap<TaskArn, Arc<TaskView>>,
    /// How the engine's surroundings are.
    pub engine: Arc<EngineView>,
}

/// One task with what the worker knows beside the rows.
#[derive(Clone, Debug)]
pub struct TaskView {
    /// The rows.
    pub task: Task,
    /// Steps under way.
    pub in_flight: Vec<InFlight>,
    /// What the last plan does next, one line an action, in order; empty = nothing to do.
    pub planned: Vec<String>,
    /// The end of its timeline, oldest first.
    pub timeline: Arc<Timeline>,
}

/// A step under way: in memory only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// Container it works on; `None` = a task resource.
    pub container: Option<ContainerName>,
    /// Which step.
    pub step: Step,
    /// Since when.
    pub since: UnixMillis,
    /// When it is given up.
    pub deadline: Option<UnixMillis>,
    /// How far a pull is.
    pub progress: Option<PullProgress>,
}

/// How the engine's surroundings are.
#[derive(Clone, Debug, Default)]
pub struct EngineView {
    /// What the host can do; `None` until Docker has answered once.
    pub host: Option<Arc<HostFacts>>,
    /// Last time Docker answered anything.
    pub runtime_answered_at: Option<UnixMillis>,
    /// Last full list that succeeded.
    pub relisted_at: Option<UnixMillis>,
    /// Why Docker does not answer now.
    pub runtime_error: Option<String>,
    /// Why Docker gives no full list now, though it answers.
    pub list_error: Option<String>,
    /// Why rows cannot be written now.
    pub store_error: Option<String>,
    /// Whether no new task starts on this instance; `None` = tasks start.
    pub draining: Option<Draining>,
    /// Last commit that succeeded.
    pub committed_at: Option<UnixMillis>,
    /// Sequence of the last event that is durable; 0 = none is known.
    pub last_event: i64,
    /// Why timelines lack what happened before the agent started.
    pub timeline_error: Option<String>,
    /// What could not be read at start, one line each.
    pub damage: Vec<String>,
    /// Docker events that arrived, and changes that only the full list found.
    pub events_seen: u64,
    /// Changes found by the full list that no event announced.
    pub events_missed: u64,
}
