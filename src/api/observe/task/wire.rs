//! Wire types of tasks as they are shown.
//!
//! **Invariant.** No environment value, secret or command of a definition is in any of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::observe::events::wire::EventRecord;
use crate::api::wire::Time;

/// Some of the tasks, by ARN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskList {
    /// When the answer was made: ages count to here.
    pub now: Time,
    /// Tasks.
    pub tasks: Vec<TaskSummary>,
    /// More follow: pass this as `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One task in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskSummary {
    /// ARN.
    pub task_arn: String,
    /// Last segment of the ARN.
    pub task_id: String,
    /// Family of the definition.
    pub family: String,
    /// Revision of the definition; 0 = it has none.
    pub revision: u32,
    /// Where it is: `PENDING`, `CREATED`, `RUNNING`, `STOPPED`.
    pub status: String,
    /// Where it should be: `RUNNING`, `STOPPED`.
    pub desired_status: String,
    /// Whether it is where it should be.
    pub converged: bool,
    /// Why, in one sentence.
    pub why: String,
    /// Who asked: `api`, `run`, `file:<name>`, `adopted`.
    pub origin: String,
    /// When it was asked for.
    pub arrived_at: Time,
    /// First time `RUNNING`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it became `STOPPED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Time>,
    /// How it ended; absent until it is `STOPPED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<TaskEnd>,
    /// Published ports of all containers that have not stopped.
    pub ports: Vec<Port>,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskEnd {
    /// Whether that is good.
    pub outcome: EndOutcome,
    /// Name of the reason: `EssentialContainerExited`, `UserInitiated`, `CannotPullContainerError` and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The essential container that ended first; absent if none has run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Exit code of that container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
}

/// What became of a task that has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EndOutcome {
    /// Its first essential container exited with code 0.
    Completed,
    /// It ended otherwise by itself.
    Failed,
    /// Somebody asked for its stop.
    Asked,
    /// Its file is gone or newer.
    Replaced,
}

/// A published port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Address on the host.
    pub bind_ip: String,
    /// Port on the host.
    pub host_port: u16,
    /// Port in the container.
    pub container_port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

/// One task in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskDetail {
    /// When the answer was made: ages count to here.
    pub now: Time,
    /// The task in short.
    #[serde(flatten)]
    pub summary: TaskSummary,
    /// What was asked.
    pub desired: Desired,
    /// What was observed.
    pub known: Known,
    /// Containers, the agent's own included, by name.
    pub containers: Vec<Container>,
    /// Task resources.
    pub resources: Vec<Resource>,
    /// What it waits for.
    pub conditions: Vec<Condition>,
    /// Steps under way.
    pub in_flight: Vec<InFlightStep>,
    /// What is done next, in order.
    pub planned: Vec<String>,
    /// The last entries of its timeline, oldest first; `/v1/events?task=…` has all.
    #[serde(default)]
    pub timeline: Vec<EventRecord>,
}

/// What was asked of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Desired {
    /// Counts changes of what is asked.
    pub generation: u64,
    /// `RUNNING` or `STOPPED`.
    pub status: String,
    /// Why somebody asked for the stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// Everything of the task is to be removed once it has stopped.
    pub remove: bool,
    /// What `awsvpc` becomes here: `bridge` or `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_as: Option<String>,
    /// Whether compatibilities that this host lacks are ignored.
    pub ignore_compatibilities: bool,
}

/// What was observed of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    /// The generation that the engine has seen.
    pub observed_generation: u64,
    /// Why the engine itself stops it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// When the host's resources were granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted_at: Option<Time>,
    /// First pull began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_started_at: Option<Time>,
    /// Last pull ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_stopped_at: Option<Time>,
    /// First time an essential container was seen stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_stopped_at: Option<Time>,
}

/// One container of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Name.
    pub name: String,
    /// Image as written; absent for the agent's own containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Whether the task stops when it exits.
    pub essential: bool,
    /// `NONE`, `PULLED`, `CREATED`, `RUNNING`, `STOPPED`.
    pub status: String,
    /// `UNKNOWN`, `HEALTHY`, `UNHEALTHY`.
    pub health: String,
    /// Docker's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_id: Option<String>,
    /// Image id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// Repository digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// Start of the present or last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Time>,
    /// How its last run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ContainerExit>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often the restart policy restarted it.
    pub restart_count: u32,
    /// It writes to the fallback log driver because its own did not work.
    pub degraded_log: bool,
    /// Published ports.
    pub ports: Vec<Port>,
    /// A step that failed and will be tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerExit {
    /// Exit code; absent if nobody can know it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// When.
    pub at: Time,
    /// Killed for its memory use.
    pub oom_killed: bool,
}

/// A step that failed and will be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// Which: `pull`, `create`, `start`, …
    pub step: String,
    /// Failures in a row.
    pub failures: u32,
    /// Not before.
    pub not_before: Time,
    /// What happened last.
    pub reason: String,
}

/// A task resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// `cgroup`, `volume <name>`.
    pub name: String,
    /// `REGISTERED`, `CREATED`, `REMOVED`.
    pub status: String,
    /// A step that failed and will be tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// One thing a task waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Container; absent = the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Cause as one word, for programs.
    pub cause: String,
    /// Cause in words.
    pub message: String,
    /// Since when.
    pub since: Time,
    /// How long, in whole seconds.
    pub age_seconds: u64,
    /// When the agent gives up or escalates, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// What happens next.
    pub next_action: String,
    /// When, at the latest; absent = when the awaited thing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Time>,
}

/// A step under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InFlightStep {
    /// Container; absent = a task resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Which: `pull`, `create`, `start`, …
    pub step: String,
    /// Since when.
    pub since: Time,
    /// How long, in whole seconds.
    pub age_seconds: u64,
    /// When it is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// How far a pull is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// How far a pull is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Of the bytes that layers have announced so far, 0 to 100; absent while none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// Mean since the step began; absent in its first second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// Bytes received.
    pub downloaded_bytes: u64,
    /// Bytes announced.
    pub download_total_bytes: u64,
    /// Bytes unpacked.
    pub extracted_bytes: u64,
    /// Layers complete.
    pub layers_done: u32,
    /// Layers seen.
    pub layers_total: u32,
}
