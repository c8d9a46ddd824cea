//! The service: one round of readings after the other, and the handle that shows what they found.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::aggregate::{Book, History, Hours};
use super::docker::{NetworkRate, docker_stats};
use super::snapshot::{Tracked, UsageSnapshot};
use crate::boundary::stats::{ContainerStats, StatsView};
use crate::boundary::usage::{UsageRound, UsageTarget};
use crate::boundary::{Clock, UsageSource};
use crate::domain::ids::{DockerId, TaskArn};

/// Pause after news of the engine: they come in bursts.
const NEWS_PAUSE: Duration = Duration::from_millis(100);

/// What is tracked now, read from memory.
pub type TrackedNow = Arc<dyn Fn() -> Tracked + Send + Sync>;

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatsConfig {
    /// Whether anything is read.
    pub enabled: bool,
    /// From one round to the next. A round over 50 containers takes some 10 ms, so 5 s keep it below 0.3 % of a CPU.
    pub interval: Duration,
    /// The same while a container has not been read twice, so that a new one is soon seen.
    pub first_interval: Duration,
}

impl Default for StatsConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Duration::from_secs(5),
            first_interval: Duration::from_secs(1),
        }
    }
}

/// The outside of the service.
pub struct Outside {
    /// The kernel.
    pub source: Arc<dyn UsageSource>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// What to read.
    pub tracked: TrackedNow,
    /// Changes whenever what is tracked may have changed.
    pub changes: watch::Receiver<u64>,
}

/// Owns the rounds.
pub struct StatsService {
    config: StatsConfig,
    outside: Outside,
    book: Book,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    latest: ArcSwap<UsageSnapshot>,
    hours: Mutex<Hours>,
}

/// Cheap to clone; shows what was read. Never waits for a round.
#[derive(Clone, Default)]
pub struct StatsHandle {
    shared: Arc<Shared>,
    /// `None` = nothing is read.
    tracked: Option<TrackedNow>,
}

impl fmt::Debug for StatsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatsHandle").finish_non_exhaustive()
    }
}

/// Builds the service and its handle. Nothing is read until [`StatsService::run`] is polled.
pub fn service(config: StatsConfig, outside: Outside) -> (StatsService, StatsHandle) {
    let handle = StatsHandle {
        tracked: config.enabled.then(|| Arc::clone(&outside.tracked)),
        ..StatsHandle::default()
    };
    let service = StatsService {
        config,
        outside,
        book: Book::default(),
        shared: Arc::clone(&handle.shared),
    };
    (service, handle)
}

impl StatsHandle {
    /// What the last round has shown.
    pub fn latest(&self) -> Arc<UsageSnapshot> {
        self.shared.latest.load_full()
    }

    /// The last hour of a tracked task: at most 10 KiB are copied.
    pub fn history(&self, task: &TaskArn) -> Option<History> {
        self.shared.hours().tasks.get(task).cloned()
    }

    /// Whether the container is tracked by now, though the last round has not seen it.
    fn is_new(&self, container: &DockerId) -> bool {
        let tracked = self.tracked.as_ref();
        tracked.is_some_and(|tracked| tracked().ids().any(|id| id == container))
    }

    /// The last hour of the host.
    pub fn host_history(&self) -> History {
        self.shared.hours().host.clone()
    }
}

impl ContainerStats for StatsHandle {
    fn stats(&self, container: &DockerId) -> StatsView {
        let latest = self.latest();
        let Some(usage) = latest.by_id(container) else {
            return if self.is_new(container) {
                StatsView::NoSample
            } else {
                StatsView::Untracked
            };
        };
        let classic = docker_stats(usage, NetworkRate::Hidden);
        let with_rates = docker_stats(usage, NetworkRate::Shown);
        match (classic, with_rates) {
            (Some(classic), Some(with_rates)) => StatsView::Sample {
                classic: classic.into(),
                with_rates: with_rates.into(),
            },
            _ => StatsView::NoSample,
        }
    }
}

impl Shared {
    fn hours(&self) -> std::sync::MutexGuard<'_, Hours> {
        self.hours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StatsService {
    /// Reads until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        if !self.config.enabled {
            stop.cancelled().await;
            return;
        }
        // Cancel-safe: a round that is abandoned has changed nothing; its thread ends by itself.
        while stop.run_until_cancelled(self.round()).await.is_some() {
            if stop.run_until_cancelled(self.pause()).await.is_none() {
                return;
            }
        }
    }

    /// Until the next round: soon where a container has not been read twice, or there is one more.
    async fn pause(&mut self) {
        let began = Instant::now();
        let soonest = self.config.first_interval.min(self.config.interval);
        tokio::time::sleep_until(began + soonest).await;
        if self.shared.latest.load().is_incomplete() {
            return;
        }
        // Cancel-safe: whoever is woken looks at what is there, not at what has changed.
        tokio::select! {
            () = tokio::time::sleep_until(began + self.config.interval) => {}
            () = self.one_more() => {}
        }
    }

    /// Returns when a container is tracked that the last round has not seen.
    async fn one_more(&mut self) {
        loop {
            self.outside.changes.borrow_and_update();
            if self.is_behind() {
                return;
            }
            if self.outside.changes.changed().await.is_err() {
                // An engine that has ended tracks nothing more.
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(NEWS_PAUSE).await;
        }
    }

    fn is_behind(&self) -> bool {
        let latest = self.shared.latest.load();
        let seen = latest.tasks.values();
        let seen = seen.flat_map(|task| task.containers.values());
        let seen: HashSet<&DockerId> = seen.map(|usage| &usage.docker_id).collect();
        (self.outside.tracked)().ids().any(|id| !seen.contains(id))
    }

    async fn round(&mut self) {
        let tracked = (self.outside.tracked)();
        let at = self.outside.clock.now();
        let Some(round) = read(Arc::clone(&self.outside.source), targets(&tracked)).await else {
            return;
        };
        let usage = self.book.record(&tracked, round, at);
        self.shared.hours().record(&usage);
        self.shared.latest.store(Arc::new(usage));
    }
}

fn targets(tracked: &Tracked) -> Vec<UsageTarget> {
    let tasks = tracked.tasks.iter();
    let targets = tasks.flat_map(|(arn, containers)| {
        containers.iter().map(|container| UsageTarget {
            id: container.docker_id.clone(),
            task: arn.task_id().clone(),
        })
    });
    targets.collect()
}

/// One round on a thread that may block. A round that panics shows nothing; the next one tries again.
async fn read(source: Arc<dyn UsageSource>, targets: Vec<UsageTarget>) -> Option<UsageRound> {
    match tokio::task::spawn_blocking(move || source.read(&targets)).await {
        Ok(round) => Some(round),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            warn!(event = "usage-unreadable", error, "usage could not be read");
            None
        }
    }
}
