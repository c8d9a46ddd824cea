//! The messages of ACS as they are on the wire (API version 2014-11-13).
//!
//! Everything inbound is optional and what is not known is passed over: the session decides what a message without
//! a member is worth. Tasks stay JSON until each is read by itself, so that a bad one spoils no other.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whether the instance is well; wants an answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeartbeatMessage {
    /// Echoed.
    pub message_id: Option<String>,
}

/// Tasks to be run and stopped.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PayloadMessage {
    /// Id of the message.
    pub message_id: Option<String>,
    /// Cluster, as the service names it.
    pub cluster_arn: Option<String>,
    /// Instance.
    pub container_instance_arn: Option<String>,
    /// Orders payloads and manifests.
    pub seq_num: Option<i64>,
    /// One task each.
    pub tasks: Option<Vec<Value>>,
}

/// New credentials of a role.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IamRoleCredentialsMessage {
    /// Id of the message.
    pub message_id: Option<String>,
    /// Task that has the role.
    pub task_arn: Option<String>,
    /// `TaskApplication` or `TaskExecution`.
    pub role_type: Option<String>,
    /// The credentials.
    pub role_credentials: Option<RoleCredentials>,
}

/// Credentials of a role. `Debug` shows the role and no more.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleCredentials {
    /// Id under which containers ask for them.
    pub credentials_id: Option<String>,
    /// The role.
    pub role_arn: Option<String>,
    /// Access key id.
    pub access_key_id: Option<String>,
    /// Secret access key.
    pub secret_access_key: Option<String>,
    /// Session token.
    pub session_token: Option<String>,
    /// End, passed on as it is.
    pub expiration: Option<String>,
}

impl fmt::Debug for RoleCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoleCredentials")
            .field("role_arn", &self.role_arn)
            .finish_non_exhaustive()
    }
}

/// Which tasks the control plane knows of.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskManifestMessage {
    /// Id of the message.
    pub message_id: Option<String>,
    /// Cluster.
    pub cluster_arn: Option<String>,
    /// Instance.
    pub container_instance_arn: Option<String>,
    /// Orders payloads and manifests.
    pub timeline: Option<i64>,
    /// The tasks.
    pub tasks: Option<Vec<TaskIdentifier>>,
}

/// A task and what is wanted of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskIdentifier {
    /// ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_arn: Option<String>,
    /// Cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_cluster_arn: Option<String>,
    /// `RUNNING` or `STOPPED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_status: Option<String>,
}

/// Which of the tasks that were asked about are really to be stopped.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskStopVerificationAck {
    /// Id of the manifest.
    pub message_id: Option<String>,
    /// The tasks.
    pub stop_tasks: Option<Vec<TaskIdentifier>>,
}

/// Any other message that wants an answer: only what the answer copies.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Addressed {
    /// Id of the message.
    pub message_id: Option<String>,
    /// Cluster.
    pub cluster_arn: Option<String>,
    /// Instance.
    pub container_instance_arn: Option<String>,
}

/// What was asked is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AckRequest {
    /// Copied from the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Copied from the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_instance: Option<String>,
    /// Copied from the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

/// What was asked is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NackRequest {
    /// What is refused.
    #[serde(flatten)]
    pub of: AckRequest,
    /// Why.
    pub reason: String,
}

/// The instance lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatAckRequest {
    /// Copied from the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

/// Credentials were taken in.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IamRoleCredentialsAckRequest {
    /// Copied from the message.
    pub message_id: String,
    /// Their end, as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration: Option<String>,
    /// Their id.
    pub credentials_id: String,
}

impl fmt::Debug for IamRoleCredentialsAckRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IamRoleCredentialsAckRequest")
            .field("message_id", &self.message_id)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

/// Tasks that run here and are not in the manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStopVerificationMessage {
    /// Id of the manifest.
    pub message_id: String,
    /// The tasks.
    pub stop_candidates: Vec<TaskIdentifier>,
}
