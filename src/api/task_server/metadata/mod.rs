//! Task metadata, versions 2, 3 and 4 (`http-endpoints.md` 4): what a container may ask about itself and its task.
//!
//! Differences from the reference agent: containers have one order; a container without network, or one that Docker
//! has not made yet, is shown as far as it is known instead of answering 500; a container of another task is unknown
//! to version 2; without a control plane tags are those of the task definition.

mod classic;

mod v4;

mod answer;

mod stats;

mod wire;

mod associations;

mod beside;

mod by_endpoint;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod checklist;

use std::sync::Arc;

use axum::Router;

use beside::Beside;

use crate::api::view::{SeenTask, Views};
use crate::boundary::EcsFactsSource;
use crate::boundary::ecs_facts::ResourceTags;
use crate::boundary::stats::ContainerStats;

/// What the endpoints work with; cheap to clone.
#[derive(Clone)]
pub struct MetadataState {
    views: Arc<Views>,
    stats: Arc<dyn ContainerStats>,
    /// `None` = there is no control plane.
    ecs: Option<Arc<dyn EcsFactsSource>>,
}

impl MetadataState {
    /// Answers come from `views` and `stats`.
    pub fn new(views: Arc<Views>, stats: Arc<dyn ContainerStats>) -> Self {
        Self {
            views,
            stats,
            ecs: None,
        }
    }

    /// What ECS says is asked there; otherwise the zone is not known, and tags are those of the task definition. ECS
    /// knows nothing of the host's own tasks: they have those of their definitions too.
    #[must_use]
    pub fn connected(mut self, ecs: Arc<dyn EcsFactsSource>) -> Self {
        self.ecs = Some(ecs);
        self
    }

    fn zone(&self) -> Option<Arc<str>> {
        self.ecs.as_ref()?.availability_zone()
    }

    /// Whether what is shown of a task changes with the task alone from now on.
    fn is_settled(&self) -> bool {
        self.ecs
            .as_ref()
            .is_none_or(|ecs| ecs.availability_zone().is_some() && ecs.place().is_some())
    }

    fn around(&self) -> Beside {
        Beside::without_tags(self.zone(), self.ecs.as_ref().and_then(|ecs| ecs.place()))
    }

    async fn beside(&self, task: &SeenTask) -> Beside {
        let tags = match &self.ecs {
            Some(ecs) if task.arn.is_standalone() => ResourceTags {
                instance: ecs.instance_tags().await,
                task: Ok(Arc::new(task.tags.clone())),
            },
            Some(ecs) => ecs.tags(&task.arn).await,
            None => ResourceTags {
                instance: Ok(Arc::default()),
                task: Ok(Arc::new(task.tags.clone())),
            },
        };
        self.around().with_tags(tags)
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
