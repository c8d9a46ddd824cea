//! Wire types of draining.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::wire::Time;

/// Whether new tasks start on this instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DrainState {
    /// When the answer was made.
    pub now: Time,
    /// No new task starts.
    pub draining: bool,
    /// Since when; absent = it does not drain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Why, in the words of whoever asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Tasks that started and have not stopped: 0 on an instance that drains = it is empty.
    pub active_tasks: usize,
    /// Tasks that would start and wait, for the end of the draining or for the host's resources.
    pub waiting_tasks: usize,
}
