//! Who owns the long-lived work, and how it ends: drivers first, then the engine, then what containers ask, then by
//! force.
//!
//! ```text
//! running ──stop asked──► drivers told ──► engine told ──► servers told ──► records told ──► over
//!    │                        └── grace over, or asked again: everything dropped ──► over
//!    └── a component ended by itself ──► as if stop was asked, and the end is an error
//! ```
//!
//! **Invariants.** Nothing here touches a container. A component that panics or returns early ends the agent with an
//! error, so that a service manager starts it anew.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How long drivers, and then the engine, may take to end. Longer than the engine's own wait for its actions (3 s).
pub const GRACE: Duration = Duration::from_secs(8);

/// A component ended though nobody asked it to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LifecycleError {
    /// It returned.
    #[error("{0} has ended by itself")]
    Ended(&'static str),
    /// It panicked.
    #[error("{0} has panicked")]
    Panicked(&'static str),
}

/// Long-lived work that ends together.
#[derive(Debug, Default)]
pub struct Group {
    stop: CancellationToken,
    tasks: JoinSet<()>,
    names: BTreeMap<Id, &'static str>,
}

impl Group {
    /// Cancelled when the group is to end.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a component in a span of its name.
    pub fn start(
        &mut self,
        name: &'static str,
        component: impl Future<Output = ()> + Send + 'static,
    ) {
        let span = tracing::info_span!("component", component = name);
        let id = self.tasks.spawn(component.instrument(span)).id();
        self.names.insert(id, name);
    }

    /// The first component that ends; never, if there is none. Cancel-safe, as `JoinSet::join_next_with_id` is.
    async fn first_end(&mut self) -> LifecycleError {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => LifecycleError::Ended(self.name(id)),
            Some(Err(error)) => self.broken(&error),
            None => std::future::pending().await,
        }
    }

    /// Tells everything to end and waits for it. Cancel-safe.
    async fn wind_down(&mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next_with_id().await {
            if let Err(error) = ended {
                let broken = self.broken(&error);
                tracing::error!(event = "part-broke", error = %broken, "{broken} on the way out");
            }
        }
    }

    fn name(&self, id: Id) -> &'static str {
        self.names.get(&id).copied().unwrap_or("a component")
    }

    fn broken(&self, error: &JoinError) -> LifecycleError {
        LifecycleError::Panicked(self.name(error.id()))
    }
}

/// All long-lived work of a running agent.
#[derive(Debug, Default)]
pub struct Lifecycle {
    /// What sets desired state and answers questions.
    pub drivers: Group,
    /// What the drivers lean on.
    pub engine: Group,
    /// What containers ask: they are answered from memory while the engine ends.
    pub servers: Group,
    /// What keeps a record of that.
    pub records: Group,
}

enum Turn {
    Asked,
    Broken(LifecycleError),
}

impl Lifecycle {
    /// Runs until `asked`, or until a component ends by itself; then ends everything. `asked_again` cuts that short.
    ///
    /// # Errors
    /// If it was a component that ended.
    pub async fn run(
        mut self,
        asked: impl Future<Output = ()>,
        asked_again: impl Future<Output = ()>,
    ) -> Result<(), LifecycleError> {
        // Cancel-safe: the futures that lose are not used again, or are `first_end`.
        let turn = tokio::select! {
            () = asked => Turn::Asked,
            error = self.drivers.first_end() => Turn::Broken(error),
            error = self.engine.first_end() => Turn::Broken(error),
            error = self.servers.first_end() => Turn::Broken(error),
            error = self.records.first_end() => Turn::Broken(error),
        };
        let forced = async {
            tokio::select! {
                () = asked_again => {}
                () = tokio::time::sleep(GRACE.saturating_mul(2)) => {}
            }
        };
        let orderly = async {
            // What a driver still waits for is answered by an engine that still runs.
            drop(tokio::time::timeout(GRACE, self.drivers.wind_down()).await);
            self.engine.wind_down().await;
            self.servers.wind_down().await;
            self.records.wind_down().await;
        };
        // Cancel-safe: dropping `orderly` is the forced end.
        tokio::select! {
            () = orderly => {}
            () = forced => tracing::warn!(event = "stopping-at-once", "ending without waiting any longer"),
        }
        match turn {
            Turn::Asked => Ok(()),
            Turn::Broken(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::{Arc, Mutex};

    use super::*;

    type Log = Arc<Mutex<Vec<&'static str>>>;

    fn until_told(group: &mut Group, name: &'static str, log: &Log) {
        let (stop, log) = (group.stop_token(), Arc::clone(log));
        group.start(name, async move {
            stop.cancelled().await;
            log.lock().expect("unpoisoned").push(name);
        });
    }

    #[tokio::test(start_paused = true)]
    async fn drivers_end_before_the_engine_and_containers_are_answered_longest() {
        let (mut lifecycle, log) = (Lifecycle::default(), Log::default());
        until_told(&mut lifecycle.records, "record", &log);
        until_told(&mut lifecycle.servers, "task server", &log);
        until_told(&mut lifecycle.engine, "engine", &log);
        until_told(&mut lifecycle.drivers, "api", &log);
        assert_eq!(lifecycle.run(ready(()), pending()).await, Ok(()));
        let expected = ["api", "engine", "task server", "record"];
        assert_eq!(*log.lock().expect("unpoisoned"), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_driver_that_does_not_end_does_not_keep_the_engine_from_ending() {
        let (mut lifecycle, log) = (Lifecycle::default(), Log::default());
        until_told(&mut lifecycle.engine, "engine", &log);
        lifecycle.drivers.start("stuck", pending());
        assert_eq!(lifecycle.run(ready(()), pending()).await, Ok(()));
        assert_eq!(*log.lock().expect("unpoisoned"), ["engine"]);
    }

    #[tokio::test(start_paused = true)]
    async fn asking_again_ends_without_waiting() {
        let mut lifecycle = Lifecycle::default();
        lifecycle.engine.start("stuck", pending());
        let began = tokio::time::Instant::now();
        assert_eq!(lifecycle.run(ready(()), ready(())).await, Ok(()));
        assert!(began.elapsed() < GRACE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_component_that_ends_by_itself_ends_the_agent_with_its_name() {
        let (mut lifecycle, log) = (Lifecycle::default(), Log::default());
        until_told(&mut lifecycle.engine, "engine", &log);
        lifecycle.drivers.start("watch", ready(()));
        let ended = lifecycle.run(pending(), pending()).await;
        assert_eq!(ended, Err(LifecycleError::Ended("watch")));
        assert_eq!(*log.lock().expect("unpoisoned"), ["engine"]);

        let mut lifecycle = Lifecycle::default();
        lifecycle
            .engine
            .start("engine", async { panic!("as tested") });
        let ended = lifecycle.run(pending(), pending()).await;
        assert_eq!(ended, Err(LifecycleError::Panicked("engine")));
    }
}
