//! Wire types of the plan.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::wire::FieldError;

/// What this host would do with a task definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanAnswer {
    /// Family.
    pub family: String,
    /// Revision; 0 = it has none.
    pub revision: u32,
    /// Whether it would run here: no finding is `refused`.
    pub runs: bool,
    /// What somebody should look at in the definition.
    pub warnings: Vec<FieldError>,
    /// Fields that take effect otherwise than on ECS.
    pub findings: Vec<Finding>,
    /// What would be done, in order; empty if it would not run.
    pub steps: Vec<Step>,
}

/// One field that takes effect otherwise than on ECS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Where in the text.
    pub path: String,
    /// What becomes of it: `changed`, `ignored`, `refused`.
    pub effect: String,
    /// In words.
    pub message: String,
}

/// One thing that would be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Container it is for; absent = the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What must hold before.
    pub after: Vec<String>,
    /// The call, as `METHOD path`, or what is done without one.
    pub call: String,
    /// When it is left out or what else there is to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Body of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub body: Option<serde_json::Value>,
}
