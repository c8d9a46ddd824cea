//! After a commit that failed: the rows decide what was durable.
//!
//! An error may come after the data: the transaction was written and the answer lost. What is in memory is then older
//! than the rows, and deciding on it would tell things twice. So the rows are read again, as after a restart; what
//! has arrived and is not committed stays with its entry and is applied on top.

use std::collections::BTreeMap;

use tracing::{debug, info};

use crate::domain::ids::{TaskArn, UnixMillis};
use crate::domain::task::Task;
use crate::error::ErrorChain;

use super::worker::Reconciler;

impl Reconciler {
    /// Reads the rows again if a commit has failed since they were read. What cannot be read stays in doubt: the next
    /// commit is then likely to fail too, and changes nothing.
    pub(super) async fn settle_doubt(&mut self) {
        if !self.rows.in_doubt {
            return;
        }
        match self.deps.store.load().await {
            Ok(loaded) => {
                self.rows.in_doubt = false;
                let damaged = !loaded.damage.is_empty();
                if loaded.draining != self.view.draining {
                    self.take_draining(loaded.draining, self.deps.clock.now());
                }
                self.take_rows(loaded.tasks, damaged);
            }
            Err(failure) => {
                debug!(error = %ErrorChain(&failure), "the rows cannot be read again yet");
            }
        }
    }

    /// `damaged`: some rows could not be read. Then a task that is not among them is not gone; what is in memory is
    /// good and is written again.
    fn take_rows(&mut self, tasks: Vec<Task>, damaged: bool) {
        let mut rows: BTreeMap<TaskArn, Task> = tasks
            .into_iter()
            .map(|task| (task.arn().clone(), task))
            .collect();
        let adopted = &self.adopted;
        let gone: Vec<TaskArn> = self
            .entries
            .keys()
            .filter(|arn| !rows.contains_key(*arn))
            .filter(|arn| adopted.iter().all(|desired| desired.arn != **arn))
            .cloned()
            .collect();
        for arn in gone {
            match self.entries.get(&arn) {
                Some(entry) if damaged => self.adopted.push(entry.task.desired.clone()),
                _ => self.drop_entry(&arn),
            }
        }
        let now = self.deps.clock.now();
        let mut changed = 0_usize;
        for (arn, entry) in self.entries.iter_mut() {
            let Some(row) = rows.remove(arn).filter(|row| *row != entry.task) else {
                continue;
            };
            entry.set_known(row.known, now);
            entry.set_desired(row.desired, self.deps.codec.as_ref());
            self.queue.wake(arn, UnixMillis(0));
            changed = changed.saturating_add(1);
        }
        for row in rows.into_values() {
            changed = changed.saturating_add(1);
            self.insert(row);
        }
        if changed > 0 {
            self.untold = true;
            info!(
                event = "commit-was-durable",
                tasks = changed,
                "a commit that failed was durable all the same"
            );
        }
    }
}
