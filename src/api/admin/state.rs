//! What the admin API is made of, and the one thing it needs that the engine does not have: a planner of files.
//!
//! **Invariant.** The runtime is asked for container output only, with a deadline.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::FromRef;

use crate::api::observe::ObserveState;
use crate::api::observe::state::Streams;
use crate::boundary::{ContainerRuntime, Ids};
use crate::definition::{Finding, Rejected};
use crate::domain::fit::FitFinding;
use crate::domain::task::TaskOptions;

/// Streams (events, logs) open at once: each holds a connection and a place in the event channel.
pub const MAX_STREAMS: usize = 32;

/// Everything the handlers use.
#[derive(Clone)]
pub struct AdminState {
    /// What reads are answered from, and the way to change desired state.
    pub observe: ObserveState,
    /// Asked for `logs` only.
    pub runtime: Arc<dyn ContainerRuntime>,
    /// Answers `POST /v1/plan`.
    pub planner: Arc<dyn PlanSource>,
    /// Ids of tasks and requests.
    pub ids: Arc<dyn Ids>,
}

/// Says what this host would do with a task definition. Changes nothing and asks nobody: what it needs of the host
/// it holds already.
pub trait PlanSource: Send + Sync {
    /// The plan for that text.
    ///
    /// # Errors
    /// [`Rejected`] if the text is not a task definition.
    fn plan(&self, text: &[u8], options: &PlanOptions) -> Result<PlanReport, Rejected>;
}

/// How the text is to be read and run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// Values of placeholders.
    pub variables: BTreeMap<String, String>,
    /// Names the family if the text does not.
    pub family_hint: Option<String>,
    /// As for a put.
    pub task: TaskOptions,
}

/// What this host would do with a task definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanReport {
    /// Family.
    pub family: String,
    /// Revision; 0 if the text has none.
    pub revision: u32,
    /// What somebody should look at.
    pub warnings: Vec<Finding>,
    /// Fields that take effect otherwise than on ECS.
    pub findings: Vec<FitFinding>,
    /// What would be done, in order; empty if a finding refuses the task.
    pub steps: Vec<PlanStep>,
}

/// One thing that would be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanStep {
    /// Container it is for; `None` = the task.
    pub container: Option<String>,
    /// What must hold before, one line each.
    pub after: Vec<String>,
    /// The call, as `METHOD path`, or what is done without one.
    pub call: String,
    /// When it is left out or what else there is to know.
    pub note: Option<String>,
    /// Body of the call.
    pub body: Option<serde_json::Value>,
}

/// The state with what the router adds.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) state: AdminState,
    pub(super) streams: Streams,
}

impl FromRef<Shared> for AdminState {
    fn from_ref(shared: &Shared) -> Self {
        shared.state.clone()
    }
}

impl FromRef<Shared> for Streams {
    fn from_ref(shared: &Shared) -> Self {
        shared.streams.clone()
    }
}

impl FromRef<Shared> for ObserveState {
    fn from_ref(shared: &Shared) -> Self {
        shared.state.observe.clone()
    }
}
