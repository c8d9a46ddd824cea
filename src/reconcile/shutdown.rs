//! The engine's end: what is nearly done may report, what is known is written, and nothing is waited for without bound.
//!
//! **Invariant.** No container is touched. What is cut short here is found by looking at the next start.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::domain::ids::TaskArn;
use crate::error::ErrorChain;

use super::worker::Reconciler;

/// How long each part of the end may take: actions that report, the last commit, closing the file.
const GRACE: Duration = Duration::from_secs(3);

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Between two turns.
    Orderly,
    /// In a turn that waited for the store for too long.
    StoreHangs,
}

/// Returns when the engine was told to end and a turn has still not ended.
pub(super) async fn overdue(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

impl Reconciler {
    /// Ends what the engine has under way.
    pub(super) async fn end(&mut self, ending: Ending) {
        match ending {
            Ending::Orderly => {
                self.drain().await;
                if timeout(GRACE, self.write_last_facts()).await.is_err() {
                    warn!(
                        event = "shutdown-incomplete",
                        "the last facts could not be written in time; they will be found by looking"
                    );
                }
            }
            Ending::StoreHangs => {
                warn!(
                    event = "shutdown-incomplete",
                    "state could not be written in time; what it was will be found by looking"
                );
                self.flights.shutdown().await;
            }
        }
        if timeout(GRACE, self.deps.store.close()).await.is_err() {
            warn!(
                event = "shutdown-incomplete",
                "the store could not be closed in time"
            );
        }
    }

    /// Lets actions that are nearly done report, so that less must be found again by looking.
    async fn drain(&mut self) {
        let deadline = tokio::time::Instant::now() + GRACE;
        for entry in self.entries.values() {
            for handle in entry
                .flights
                .values()
                .filter(|handle| handle.flight.step == crate::domain::task::Step::Pull)
            {
                handle.cancel.cancel();
            }
        }
        while let Ok(Some(finished)) =
            tokio::time::timeout_at(deadline, self.flights.join_next_with_id()).await
        {
            self.take_finished(finished);
        }
        self.flights.shutdown().await;
    }

    /// The facts are kept, the actions they would lead to are for the next start.
    async fn write_last_facts(&mut self) {
        self.settle_doubt().await;
        let now = self.heed_clock();
        let mut keys: BTreeSet<TaskArn> =
            self.queue.take_due(now, usize::MAX).into_iter().collect();
        if !self.listed_once {
            return;
        }
        let draining = self.view.draining.clone();
        let passes = self.think(&mut keys, draining.as_ref(), now);
        let facts = passes
            .iter()
            .filter(|(_, pass)| pass.plan.actions.is_empty())
            .filter_map(|(arn, pass)| Some(self.entries.get(arn)?.changes(pass)));
        let mut changes = self.adopted_changes();
        changes.extend(facts.flatten());
        if let Err(failure) = self.commit(&changes, now).await {
            warn!(event = "shutdown-incomplete", error = %ErrorChain(&failure), "the last facts could not be written; they will be found by looking");
        }
    }
}
