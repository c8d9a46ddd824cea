//! Wire types of the settings.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The settings in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsAnswer {
    /// Every setting, in the order of `berth check-config`.
    pub settings: Vec<Setting>,
    /// What was given and does not count.
    pub problems: Vec<SettingProblem>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Setting {
    /// Name, as in the environment.
    pub name: String,
    /// Value in force; absent = none. A secret is only said to be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `flag`, `environment`, `file` or `default`.
    pub origin: String,
    /// What it governs.
    pub about: String,
}

/// A text that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingProblem {
    /// Name that was given.
    pub setting: String,
    /// Where: `flag`, `environment` or `file`.
    pub origin: String,
    /// What is wrong.
    pub message: String,
}
