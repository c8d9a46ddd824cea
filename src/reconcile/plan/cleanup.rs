//! After STOPPED: what the task left behind goes, and the rows go when its absence is confirmed.
//!
//! **Invariant.** Containers before resources, everything before the rows; a step that fails is tried for ever.

use std::time::Duration;

use crate::domain::ids::ContainerName;
use crate::domain::status::TaskStatus;
use crate::domain::task::{Cause, KnownContainer, Origin, ResourceStatus};
use crate::reconcile::action::{Subject, Verb};

use super::Planner;
use super::waits::Wait;

/// How long a stopped task is kept for the control plane to hear of it (reference agent).
const LONGEST_REPORT: Duration = Duration::from_hours(72);

impl Planner<'_, '_> {
    pub(super) fn plan_cleanup(&mut self) {
        let now = self.input.now;
        if self.draft.known.stopped_at > Some(now) {
            // The clock was set back: what is kept for a while is not kept for as long as it was ahead.
            self.draft.known.stopped_at = Some(now);
        }
        if !self.draft.desired.remove {
            let due = self.draft.known.stopped_at.unwrap_or(now).plus(
                self.input
                    .settings
                    .kept_for(self.input.task.arn().task_id()),
            );
            if due > now {
                self.waits.look_at(Some(due));
                return;
            }
            if self.wait_for_report() {
                return;
            }
        }
        if self.remove_containers() && self.tear_down_resources() {
            self.forget = true;
            self.draft.tell("Removed", "everything of the task is gone");
        }
    }

    /// Whether the control plane is still to hear that the task stopped: while it is not, the rows are all there is
    /// to tell it from.
    fn wait_for_report(&mut self) -> bool {
        let (desired, known) = (self.draft.desired, &self.draft.known);
        if desired.origin != Origin::Ecs || known.reported.status == Some(TaskStatus::Stopped) {
            return false;
        }
        let until = known
            .stopped_at
            .unwrap_or(self.input.now)
            .plus(LONGEST_REPORT);
        if until <= self.input.now {
            return false;
        }
        let wait = Wait {
            container: None,
            cause: Cause::WaitingForReport,
            message: "ECS has not acknowledged that the task stopped".to_owned(),
            then: "remove what is left of it".to_owned(),
        };
        self.waits.with_deadline(wait, until);
        true
    }

    /// Whether no container is left.
    fn remove_containers(&mut self) -> bool {
        let mut all_gone = true;
        let left: Vec<(ContainerName, KnownContainer)> = self
            .draft
            .known
            .containers
            .iter()
            .filter(|(_, known)| may_exist(known))
            .map(|(name, known)| (name.clone(), known.clone()))
            .collect();
        for (name, known) in left {
            all_gone = false;
            if self.wait_for_flight(&name) || self.wait_for_retry(&name) {
                continue;
            }
            let ids_or_names = self.ids_or_names(&name, &known);
            self.act(&name, Verb::Remove { ids_or_names });
        }
        all_gone
    }

    /// Everything under which Docker may know the container: its id, and the names of all attempts where no id is
    /// known or there were several: the id is of one of them, and Docker may have made any of the others late.
    fn ids_or_names(&self, name: &ContainerName, known: &KnownContainer) -> Vec<String> {
        let id = known.docker_id.as_ref().map(ToString::to_string);
        let attempts = match known.attempt {
            0 if id.is_some() => 0..0,
            last => 0..last.saturating_add(1),
        };
        let names = attempts.map(|attempt| self.draft.desired.docker_name(name, attempt));
        id.into_iter().chain(names).collect()
    }

    /// Whether no resource is left.
    fn tear_down_resources(&mut self) -> bool {
        let mut all_gone = true;
        let left: Vec<_> = self
            .draft
            .known
            .resources
            .iter()
            .filter(|(_, resource)| resource.status != ResourceStatus::Removed)
            .map(|(key, resource)| (key.clone(), resource.clone()))
            .collect();
        for (key, resource) in left {
            let Some(verb) = self.tear_down_verb(&key) else {
                self.draft
                    .known
                    .resources
                    .entry(key)
                    .and_modify(|known| known.status = ResourceStatus::Removed);
                continue;
            };
            all_gone = false;
            self.resource_step(&Subject::Resource(key), resource.retry.as_ref(), verb);
        }
        all_gone
    }
}

/// Whether Docker may hold a container: one with an id, or one whose creation was decided and never answered.
fn may_exist(known: &KnownContainer) -> bool {
    !known.removed && (known.docker_id.is_some() || known.image_id.is_some())
}
