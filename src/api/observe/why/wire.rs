//! Wire types of `why`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::observe::events::wire::EventRecord;
use crate::api::observe::task::wire::{Condition, Container, InFlightStep};
use crate::api::wire::Time;

/// Why one task is where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhyAnswer {
    /// When the answer was made: ages count to here.
    pub now: Time,
    /// How the agent's surroundings are.
    pub engine: Engine,
    /// The task.
    pub task: WhyTask,
    /// The last entries of its timeline, oldest first.
    pub timeline: Vec<EventRecord>,
    /// Why the timeline lacks what happened before the agent started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline_error: Option<String>,
}

/// Every task that is not where it should be, or is held up by something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhyList {
    /// When the answer was made: ages count to here.
    pub now: Time,
    /// How the agent's surroundings are.
    pub engine: Engine,
    /// At most 1000 tasks that wait, by ARN.
    pub tasks: Vec<WhyTask>,
    /// Waiting tasks that are not in `tasks`.
    pub left_off: usize,
    /// Tasks that are where they should be.
    pub settled: usize,
}

/// Where a task is, where it should be, and what is in between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhyTask {
    /// ARN.
    pub task_arn: String,
    /// Last segment of the ARN.
    pub task_id: String,
    /// Family of the definition.
    pub family: String,
    /// Revision of the definition; 0 = it has none.
    pub revision: u32,
    /// Where it is.
    pub status: String,
    /// Where it should be.
    pub desired_status: String,
    /// Whether it is where it should be.
    pub converged: bool,
    /// Why, in one sentence.
    pub headline: String,
    /// When it was asked for.
    pub arrived_at: Time,
    /// What holds it up, the most telling one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocking: Option<Condition>,
    /// The other conditions.
    pub others: Vec<Condition>,
    /// Steps under way.
    pub in_flight: Vec<InFlightStep>,
    /// What is done next, in order.
    pub planned: Vec<String>,
    /// Containers.
    pub containers: Vec<Container>,
}

/// How the agent's surroundings are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Engine {
    /// Docker has answered since the agent started.
    pub runtime_seen: bool,
    /// Version of Docker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_version: Option<String>,
    /// Last time Docker answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_answered_at: Option<Time>,
    /// Why Docker does not answer now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_error: Option<String>,
    /// Last full list of containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relisted_at: Option<Time>,
    /// Last commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<Time>,
    /// Why the state cannot be written now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_error: Option<String>,
    /// Why no new task starts on this instance; absent = it does not drain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining: Option<String>,
    /// What could not be read at start and was set aside.
    pub damage: Vec<String>,
    /// Docker events that arrived.
    pub events_seen: u64,
    /// Changes that no event announced.
    pub events_missed: u64,
}
