//! Bodies that versions share.

use serde::Serialize;

use crate::boundary::ecs_facts::TagsError;

/// Names of associations; `null` if there are none.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Associations {
    associations: Option<Vec<String>>,
}

impl Associations {
    /// Those of these names.
    pub(super) fn of(names: Vec<String>) -> Self {
        Self {
            associations: Some(names).filter(|names| !names.is_empty()),
        }
    }
}

/// A call for what is shown beside a task that failed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ErrorObject {
    error_field: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    error_message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(rename = "ResourceARN", skip_serializing_if = "String::is_empty")]
    resource_arn: String,
}

impl ErrorObject {
    pub(super) fn new(field: &'static str, error: TagsError) -> Self {
        Self {
            error_field: field,
            error_code: error.code,
            error_message: error.message,
            status_code: error.status,
            request_id: error.request_id,
            resource_arn: error.resource_arn,
        }
    }
}
