//! Wire types of readiness and health.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::{Check, CheckStatus};
use crate::api::observe::why::wire::Engine;
use crate::api::wire::Time;

/// Whether the agent is ready, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// `v1`.
    pub api_version: String,
    /// `ready` or `notReady`.
    pub status: ReadyStatus,
    /// Names of the checks that fail.
    pub waiting_for: Vec<String>,
    /// Everything that was looked at.
    pub checks: Vec<CheckResult>,
}

/// Whether the agent is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReadyStatus {
    /// No check fails.
    Ready,
    /// A check fails.
    NotReady,
}

/// How the agent is, with the ages of what it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthReport {
    /// `v1`.
    pub api_version: String,
    /// When the answer was made.
    pub now: Time,
    /// The worst of the checks: `pass`, `warn` or `fail`.
    pub status: String,
    /// Version of the agent.
    pub version: String,
    /// Cluster in the ARNs of new tasks.
    pub cluster: String,
    /// Tasks known.
    pub tasks: usize,
    /// How old the agent's knowledge is.
    pub ages: Ages,
    /// How the agent's surroundings are.
    pub engine: Engine,
    /// Everything that was looked at.
    pub checks: Vec<CheckResult>,
}

/// Ages in whole seconds; absent = it has not happened yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ages {
    /// Last turn of the engine's loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_seconds: Option<u64>,
    /// Last full list of containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relist_seconds: Option<u64>,
    /// Last answer of Docker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_seconds: Option<u64>,
    /// Last commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_seconds: Option<u64>,
    /// Last message of ECS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane_seconds: Option<u64>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckResult {
    /// Name for programs.
    pub name: String,
    /// `pass`, `warn` or `fail`.
    pub status: String,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// In words.
    pub message: String,
    /// What somebody could do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl CheckStatus {
    /// Word for programs.
    pub(in crate::api) fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl CheckResult {
    /// As it should be.
    pub fn passes(&self) -> bool {
        self.status == CheckStatus::Pass.as_str()
    }

    /// The agent, or this host, cannot do its work.
    pub fn fails(&self) -> bool {
        self.status == CheckStatus::Fail.as_str()
    }
}

impl From<&Check> for CheckResult {
    fn from(check: &Check) -> Self {
        Self {
            name: check.name.to_owned(),
            status: check.status.as_str().to_owned(),
            since: check.since.map(Into::into),
            message: check.message.clone(),
            hint: check.hint.map(str::to_owned),
        }
    }
}
