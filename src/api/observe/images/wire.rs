//! Wire types of images.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::observe::task::wire::Progress;
use crate::api::wire::Time;

/// Images of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Images {
    /// When the answer was made.
    pub now: Time,
    /// Whether images that nobody uses are removed at all.
    pub cleans_up: bool,
    /// Last time that all images of the host were looked at; absent = not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Time>,
    /// Sizes added up; layers that images share count more than once.
    pub total_bytes: u64,
    /// Images by name.
    pub images: Vec<Image>,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Name with tag or digest, else the id.
    pub reference: String,
    /// `sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// Bytes on disk, shared layers included; 0 = not known yet.
    pub size_bytes: u64,
    /// When the agent pulled it; absent = it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled_at: Option<Time>,
    /// Last time a task used it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Time>,
    /// Tasks with a container of this image, stopped ones included.
    pub task_arns: Vec<String>,
    /// Why it stays; absent = the next clean-up may remove it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// When it may be removed at the earliest, where that is a matter of its age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removable_at: Option<Time>,
    /// What is being done to make it ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<Pull>,
}

/// How far an image is from being ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pull {
    /// `checking`, `resolving`, `waiting` or `pulling`.
    pub state: String,
    /// Since when.
    pub since: Time,
    /// Place in the queue of pulls; 1 is next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// How far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Whether an essential container waits for it.
    pub essential: bool,
}
