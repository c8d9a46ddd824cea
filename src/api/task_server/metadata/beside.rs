//! What is shown of a task beside the task itself: where its host is, and tags on the routes that are for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::wire::ErrorObject;
use crate::boundary::ecs_facts::{InstancePlace, ResourceTags, Tags};

/// All of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside {
    pub(super) zone: Option<Arc<str>>,
    pub(super) place: Arc<InstancePlace>,
    pub(super) task_tags: Option<Arc<BTreeMap<String, String>>>,
    pub(super) instance_tags: Option<Arc<BTreeMap<String, String>>>,
    /// Calls that failed, in the order in which the reference agent makes them.
    pub(super) errors: Vec<ErrorObject>,
}

impl Beside {
    /// For routes without tags.
    pub(super) fn without_tags(zone: Option<Arc<str>>, place: Option<Arc<InstancePlace>>) -> Self {
        Self {
            zone,
            place: place.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// For routes with them.
    pub(super) fn with_tags(self, tags: ResourceTags) -> Self {
        let mut errors = Vec::new();
        let mut shown = |field, tags: Tags| match tags {
            Ok(tags) => Some(tags).filter(|tags| !tags.is_empty()),
            Err(error) => {
                errors.push(ErrorObject::new(field, error));
                None
            }
        };
        let instance_tags = shown("ContainerInstanceTags", tags.instance);
        let task_tags = shown("TaskTags", tags.task);
        Self {
            task_tags,
            instance_tags,
            errors,
            ..self
        }
    }
}
