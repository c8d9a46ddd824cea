//! Containers on the host whose rows are gone: their tasks are rebuilt from the label they carry, as the list shows it.
//!
//! **Invariants.** Nothing is asked of Docker here: one stray whose calls hang delays nobody. What a label cannot say,
//! whether somebody had asked for the stop, is decided by what runs: a task of which something runs runs on
//! (promise 1), one of which nothing runs is stopped and starts nothing (ADR 0004). A container that cannot be
//! understood is named and left alone.

use std::collections::BTreeMap;

use tracing::warn;

use crate::domain::ids::{ContainerName, Generation, TaskArn};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::runtime::ListedContainer;
use crate::domain::task::{DesiredTask, KnownContainer, KnownTask, Origin, StopCause, Task};

use super::desired;
use super::worker::Reconciler;

/// Tasks rebuilt from one list; the rest follow with the next.
const MAX_ADOPTIONS: usize = 256;

impl Reconciler {
    /// Rebuilds the tasks of containers that no row knows. What their containers do is then observed like that of any
    /// other, from the same list.
    pub(super) fn adopt(&mut self, containers: &[ListedContainer]) {
        let mut strays: BTreeMap<&TaskArn, Vec<&ListedContainer>> = BTreeMap::new();
        for found in containers {
            if !self.entries.contains_key(&found.task) && !self.left_alone.contains(&found.id) {
                strays.entry(&found.task).or_default().push(found);
            }
        }
        for (arn, own) in strays.into_iter().take(MAX_ADOPTIONS) {
            let readable = own.iter().filter_map(|stray| {
                let text = stray.definition.as_deref()?;
                self.deps.codec.decode(arn, text)
            });
            match readable.max_by_key(|desired| desired.generation) {
                Some(desired) => self.rebuild(desired, &own),
                None => own.into_iter().for_each(|stray| self.leave_alone(stray)),
            }
        }
    }

    fn rebuild(&mut self, mut desired: DesiredTask, own: &[&ListedContainer]) {
        warn!(event = "task-rebuilt", task.arn = %desired.arn, "rebuilt a task from its containers");
        desired.origin = match desired.origin {
            Origin::File(name) => Origin::File(name),
            // Still the control plane's: it waits for reports.
            Origin::Ecs => Origin::Ecs,
            Origin::Api | Origin::Run | Origin::Adopted => Origin::Adopted,
        };
        desired.generation = desired.generation.max(Generation(1));
        if self.forgotten.contains(&desired.arn) {
            // Made by a call that an earlier agent left behind, after everything else was gone.
            let reason = Reason::new(ReasonName::Replaced, "its task was removed");
            desired = desired::remove(&desired, reason).unwrap_or(desired);
        }
        let now = self.deps.clock.now();
        let runs = own.iter().any(|found| found.state.may_live());
        let known = KnownTask {
            admitted_at: Some(now),
            stop: (!runs).then(|| StopCause {
                reason: Reason::new(
                    ReasonName::StateError,
                    "its stored state was lost while none of its containers ran",
                ),
                at: now,
            }),
            containers: attempts(own),
            ..KnownTask::default()
        };
        self.adopted.push(desired.clone());
        self.insert(Task { desired, known });
    }

    fn leave_alone(&mut self, stray: &ListedContainer) {
        self.left_alone.insert(stray.id.clone());
        let message = format!(
            "container {} carries our labels but no readable definition; it is left alone",
            stray.docker_name
        );
        warn!(event = "container-left-alone", "{message}");
        self.view.damage.push(message);
    }
}

/// Which creation of each container is on the host: the last one. It is all that must be known before the container
/// is looked at, so that nothing is created beside it.
fn attempts(own: &[&ListedContainer]) -> BTreeMap<ContainerName, KnownContainer> {
    let mut known: BTreeMap<ContainerName, KnownContainer> = BTreeMap::new();
    for found in own {
        let container = known.entry(found.container.clone()).or_default();
        container.attempt = container.attempt.max(found.attempt.unwrap_or_default());
    }
    known
}
