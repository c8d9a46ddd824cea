//! Wire types of the watched directory.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::wire::Time;

/// The watched directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskFiles {
    /// Where it is; absent = no directory is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Why it could not be looked at last time; its tasks are left alone meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Its files, by name.
    pub files: Vec<TaskFile>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskFile {
    /// Name without the extension.
    pub name: String,
    /// Where its task stands: `LIVE`, `STARTING`, `WAITING`, `REPLACING`, `STOPPING`, `COMPLETED`, `FAILED`,
    /// `STOPPED_BY_USER`, `REJECTED`, `REMOVING`.
    pub state: String,
    /// Its task: the live one, else the last one known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_arn: Option<String>,
    /// When a task that has failed is started anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Why the file as it is now cannot be run. The last good version counts meanwhile.
    pub problems: Vec<String>,
    /// What of it is changed or ignored on this host.
    pub warnings: Vec<String>,
}
