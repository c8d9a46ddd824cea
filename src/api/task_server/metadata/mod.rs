//! Task metadata, versions 2, 3 and 4 (`http-endpoints.md` 4): what a container may ask about itself and its task.
//!
//! Differences from the reference agent: containers have one order; a container without network, or one that Docker
//! has not made yet, is shown as far as it is known instead of answering 500; a container of another task is unknown
//! to version 2; tags are those of the task definition.

mod classic;

mod v4;

mod answer;

mod stats;

mod wire;

mod associations;

mod by_endpoint;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod checklist;

use std::sync::Arc;

use axum::Router;

use crate::api::view::Views;
use crate::boundary::stats::ContainerStats;

/// What the endpoints work with; cheap to clone.
#[derive(Clone)]
pub struct MetadataState {
    views: Arc<Views>,
    stats: Arc<dyn ContainerStats>,
}

impl MetadataState {
    /// Answers come from `views` and `stats`.
    pub fn new(views: Arc<Views>, stats: Arc<dyn ContainerStats>) -> Self {
        Self { views, stats }
    }
}

/// The routes, without layers. Every method is answered like GET, as by the reference agent.
pub fn metadata_routes(state: MetadataState) -> Router {
    Router::new()
        .merge(classic::v2_routes())
        .merge(classic::v3_routes())
        .merge(v4::routes())
        .with_state(state)
}
