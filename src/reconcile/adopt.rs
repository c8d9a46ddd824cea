//! Containers on the host whose rows are gone: their tasks are rebuilt from the label they carry.
//!
//! **Invariant.** A container that cannot be understood is named and left alone (promise 1).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tracing::warn;

use crate::domain::ids::{ContainerName, Generation, TaskArn};
use crate::domain::names;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::runtime::ListedContainer;
use crate::domain::task::{DesiredTask, KnownContainer, KnownTask, Origin, Task};
use crate::error::ErrorChain;

use super::desired;
use super::outcome::MAX_ATTEMPTS;
use super::worker::Reconciler;

/// Tasks rebuilt from one list; the rest follow with the next.
const MAX_ADOPTIONS: usize = 256;

/// Wait before a stray that could not be looked at is tried again.
const RETRY: Duration = Duration::from_mins(1);

impl Reconciler {
    /// Whether a look at the container failed a moment ago: one that hangs must not hold up each list.
    fn waits_to_be_adopted(&self, stray: &ListedContainer) -> bool {
        let again = self.adoption_retries.get(stray.id.as_str());
        again.is_some_and(|&again| again > self.deps.clock.now())
    }

    /// Rebuilds the tasks of containers that no row knows. What their containers do is then observed like that of any
    /// other, from the same list.
    pub(super) async fn adopt(&mut self, containers: &[ListedContainer]) {
        let mut tried: BTreeSet<TaskArn> = BTreeSet::new();
        for stray in containers {
            if tried.len() >= MAX_ADOPTIONS
                || self.adoptions.contains(stray.id.as_str())
                || self.waits_to_be_adopted(stray)
                || self.entries.contains_key(&stray.task)
                || tried.contains(&stray.task)
            {
                continue;
            }
            tried.insert(stray.task.clone());
            let label = match self.deps.runtime.inspect(stray.id.as_str()).await {
                Ok(Some(observed)) => observed.labels.get(names::LABEL_DEFINITION).cloned(),
                Ok(None) => continue,
                Err(error) => {
                    let again = self.deps.clock.now().plus(RETRY);
                    self.adoption_retries.insert(stray.id.to_string(), again);
                    warn!(container.id = %stray.id, error = %ErrorChain(&error), "a stray container was not looked at");
                    continue;
                }
            };
            if let Some(mut desired) =
                label.and_then(|text| self.deps.codec.decode(&stray.task, &text))
            {
                warn!(task.arn = %stray.task, "rebuilt a task from its containers");
                desired.origin = match desired.origin {
                    Origin::File(name) => Origin::File(name),
                    Origin::Api | Origin::Run | Origin::Adopted => Origin::Adopted,
                };
                desired.generation = desired.generation.max(Generation(1));
                if self.forgotten.contains(&stray.task) {
                    // Made by a call that an earlier agent left behind, after everything else was gone.
                    let reason = Reason::new(ReasonName::Replaced, "its task was removed");
                    desired = desired::remove(&desired, reason).unwrap_or(desired);
                }
                let known = KnownTask {
                    admitted_at: Some(self.deps.clock.now()),
                    containers: attempts(&desired, containers),
                    ..KnownTask::default()
                };
                self.adopted.push(desired.clone());
                self.insert(Task { desired, known });
            } else {
                self.adoptions.insert(stray.id.to_string());
                let message = format!(
                    "container {} carries our labels but no readable definition; it is left alone",
                    stray.docker_name
                );
                warn!("{message}");
                self.view.damage.push(message);
            }
        }
    }
}

/// Which creation of each container is on the host: the last one, by its name. It is all that must be known before
/// the container is looked at, so that nothing is created beside it.
fn attempts(
    desired: &DesiredTask,
    containers: &[ListedContainer],
) -> BTreeMap<ContainerName, KnownContainer> {
    let mut known: BTreeMap<ContainerName, KnownContainer> = BTreeMap::new();
    let own = containers.iter().filter(|found| found.task == desired.arn);
    for found in own {
        let attempt = (0..=MAX_ATTEMPTS)
            .find(|&attempt| desired.docker_name(&found.container, attempt) == found.docker_name);
        if let Some(attempt) = attempt {
            let container = known.entry(found.container.clone()).or_default();
            container.attempt = container.attempt.max(attempt);
        }
    }
    known
}
