//! Wire types of the answers to `PUT`, `POST …/stop` and `DELETE` of a task.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::wire::FieldError;

/// Answer to a put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PutAnswer {
    /// ARN.
    pub task_arn: String,
    /// Last segment of the ARN.
    pub task_id: String,
    /// Generation of the desired state, also in `ETag`.
    pub generation: u64,
    /// What was done.
    pub outcome: PutResult,
    /// What somebody should look at in the definition.
    #[serde(default)]
    pub warnings: Vec<FieldError>,
}

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PutResult {
    /// The task is new.
    Created,
    /// The task was there with the same content.
    Unchanged,
}

/// Answer to a stop or a removal: durable, and under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// ARN.
    pub task_arn: String,
    /// Last segment of the ARN.
    pub task_id: String,
    /// Generation of the desired state.
    pub generation: u64,
}
