//! `/v1/metadata`: who the agent is.

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;

use super::router::{IntrospectionState, json};
use super::wire;

/// Who the agent is; does not change while it runs.
#[derive(Clone, Debug)]
pub struct About {
    /// Cluster as configured.
    pub cluster: String,
    /// Container instance; `None` where no control plane has given one.
    pub container_instance_arn: Option<String>,
    /// `<product> - v<semver> (<commit>)`: scripts cut the text between `v` and the blank.
    pub version: String,
}

impl About {
    pub(super) fn encoded(&self) -> Bytes {
        let body = wire::Metadata {
            cluster: &self.cluster,
            container_instance_arn: self.container_instance_arn.as_deref(),
            version: &self.version,
        };
        serde_json::to_vec(&body).unwrap_or_default().into()
    }
}

pub(super) async fn get(State(state): State<IntrospectionState>) -> Response {
    json(axum::http::StatusCode::OK, state.metadata)
}
