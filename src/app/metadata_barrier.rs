//! Keeps tasks from the instance metadata service of this host, but for those that the operator lets through.
//!
//! **Invariants.** The barrier is up before the engine starts a container. It is looked at whenever the host says that
//! its rules have changed, and from time to time. It stays when the agent ends: containers go on running. Whom it lets
//! through it forgets a minute after the last look: their addresses may be others' by then. [`release`] takes it away. A
//! host that can have none says so, and its tasks run.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::conditions::Conditions;
use crate::api::observe::probes::Check;
use crate::boundary::BoundaryError;
use crate::boundary::barrier::MetadataBarrier;
use crate::domain::status::ContainerStatus;
use crate::error::ErrorChain;
use crate::platform::BarrierOs;
use crate::reconcile::ReconcilerHandle;
use crate::reconcile::snapshot::Snapshot;

/// Longest time between two looks where the host says when its rules change; a look runs a program.
const LOOK_PACE: Duration = Duration::from_secs(15);

/// The same where it does not say.
const BLIND_PACE: Duration = Duration::from_secs(1);

/// Pause after a hint: changes come in bursts.
const HINT_PAUSE: Duration = Duration::from_millis(50);

/// Name of the check.
const NAME: &str = "instance-metadata";

const HINT: &str =
    "`berth doctor` says what is missing; BERTH_BLOCK_INSTANCE_METADATA=false says that tasks may";

/// The barrier with what it lets through.
pub(super) struct Keeper<B> {
    barrier: B,
    families: BTreeSet<String>,
    conditions: Conditions,
}

impl<B: MetadataBarrier> Keeper<B> {
    /// Lets tasks of these families through.
    pub(super) fn new(barrier: B, families: BTreeSet<String>, conditions: Conditions) -> Self {
        Self {
            barrier,
            families,
            conditions,
        }
    }

    /// The barrier is up before the engine is: nobody is let through yet.
    pub(super) async fn put_up(&self) {
        self.ensure(&BTreeSet::new()).await;
    }

    /// Keeps it up until `stop`.
    pub(super) async fn keep(self, engine: ReconcilerHandle, stop: CancellationToken) {
        let mut changes = engine.changes();
        while !stop.is_cancelled() {
            changes.borrow_and_update();
            let allowed = self.allowed(&engine.snapshot());
            self.ensure(&allowed).await;
            let moved = async {
                // An engine that has ended publishes nothing more.
                while changes.changed().await.is_ok() {
                    if self.allowed(&engine.snapshot()) != allowed {
                        return;
                    }
                }
                std::future::pending::<()>().await;
            };
            // Cancel-safe: all only wait.
            tokio::select! {
                pace = self.hint() => tokio::time::sleep(pace).await,
                () = tokio::time::sleep(LOOK_PACE) => {}
                () = moved => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// When rules may have changed: how long to wait then.
    async fn hint(&self) -> Duration {
        match self.barrier.changed().await {
            Ok(()) => HINT_PAUSE,
            // A hint that cannot be had leaves the looks by the clock.
            Err(_) => BLIND_PACE,
        }
    }

    async fn ensure(&self, allowed: &BTreeSet<IpAddr>) {
        match self.barrier.ensure(allowed).await {
            Ok(is_new) => {
                let words =
                    "tasks with a network of their own do not reach the instance metadata service";
                let is_news = self.conditions.set(Check::pass(NAME, words));
                if is_news || is_new {
                    info!(
                        event = "metadata-barrier-up",
                        allowed = allowed.len(),
                        "{words}"
                    );
                }
            }
            Err(error) => {
                let error = ErrorChain(&error).to_string();
                let words = format!("tasks may reach the instance metadata service: {error}");
                if self.conditions.set(Check::warn(NAME, words).hint(HINT)) {
                    warn!(
                        event = "metadata-barrier-down",
                        error, "tasks may reach the instance metadata service; trying again"
                    );
                }
            }
        }
    }

    /// Addresses of live containers of the families that are let through.
    fn allowed(&self, snapshot: &Snapshot) -> BTreeSet<IpAddr> {
        if self.families.is_empty() {
            return BTreeSet::new();
        }
        let tasks = snapshot.tasks.values().map(|view| &view.task);
        let tasks = tasks.filter(|task| {
            let family = task.desired.definition.family.as_str();
            self.families.contains(family)
        });
        let containers = tasks.flat_map(|task| task.known.containers.values());
        let live = containers.filter(|container| container.status != ContainerStatus::Stopped);
        let networks = live.flat_map(|container| &container.networks);
        let addresses = networks.flat_map(|network| [&network.ipv4, &network.ipv6]);
        addresses.filter_map(|text| text.parse().ok()).collect()
    }
}

/// Whether this host has the barrier.
///
/// # Errors
/// If the host does not say.
pub async fn is_up() -> Result<bool, BoundaryError> {
    BarrierOs::default().is_up().await
}

/// Takes the barrier from this host; an agent that runs brings it back.
///
/// # Errors
/// If the rules may not be changed.
pub async fn release() -> Result<(), BoundaryError> {
    BarrierOs::default().release().await
}

#[cfg(test)]
#[path = "metadata_barrier_tests.rs"]
mod tests;
