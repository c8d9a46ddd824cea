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
    /// `<product> - v<semver> (<commit>)`: scripts cut the text between `v` and the blank.
    pub version: String,
}

impl About {
    pub(super) fn encoded(&self, instance: Option<&str>) -> Bytes {
        let body = wire::Metadata {
            cluster: &self.cluster,
            container_instance_arn: instance,
            version: &self.version,
        };
        serde_json::to_vec(&body).unwrap_or_default().into()
    }
}

pub(super) async fn get(State(state): State<IntrospectionState>) -> Response {
    json(axum::http::StatusCode::OK, state.metadata())
}
