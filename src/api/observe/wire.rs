//! Wire types of the endpoints that have no folder: how the agent is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::why::wire::Engine;
use crate::api::wire::Time;

/// How the agent is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// When the answer was made.
    pub now: Time,
    /// In one word.
    pub status: HealthStatus,
    /// What is not as it should be, one line each.
    pub troubles: Vec<String>,
    /// Version of the agent.
    pub version: String,
    /// Cluster in the ARNs of new tasks.
    pub cluster: String,
    /// Tasks known.
    pub tasks: usize,
    /// How the agent's surroundings are.
    pub engine: Engine,
}

/// How the agent is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum HealthStatus {
    /// All is as it should be.
    Ok,
    /// It answers, but something named in `troubles` is wrong.
    Degraded,
}
