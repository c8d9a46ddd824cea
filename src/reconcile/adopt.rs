//! Containers on the host whose rows are gone: their tasks are rebuilt from the label they carry.
//!
//! **Invariant.** A container that cannot be understood is named and left alone (promise 1).

use std::collections::BTreeSet;

use tracing::warn;

use crate::domain::ids::{Generation, TaskArn};
use crate::domain::names;
use crate::domain::runtime::ListedContainer;
use crate::domain::task::{KnownTask, Origin, Task};
use crate::error::ErrorChain;

use super::worker::Reconciler;

/// Tasks rebuilt from one list; the rest follow with the next.
const MAX_ADOPTIONS: usize = 256;

impl Reconciler {
    /// Rebuilds the tasks of containers that no row knows.
    pub(super) async fn adopt(&mut self, strays: Vec<ListedContainer>) {
        let mut tried: BTreeSet<TaskArn> = BTreeSet::new();
        for stray in strays {
            if tried.len() >= MAX_ADOPTIONS
                || self.adoptions.contains(stray.id.as_str())
                || self.entries.contains_key(&stray.task)
            {
                continue;
            }
            tried.insert(stray.task.clone());
            let label = match self.deps.runtime.inspect(stray.id.as_str()).await {
                Ok(Some(observed)) => observed.labels.get(names::LABEL_DEFINITION).cloned(),
                Ok(None) => continue,
                Err(error) => {
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
                let known = KnownTask {
                    admitted_at: Some(self.deps.clock.now()),
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
