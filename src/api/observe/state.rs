//! What answers are made from.
//!
//! **Invariant.** Every field answers from memory, but for `store`, which is asked for past events only.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::files::wire::TaskFiles;
use super::probes::Check;
use super::settings::wire::SettingsAnswer;
use crate::api::problem::{Problem, ProblemKind};
use crate::boundary::images::ImageInventory;
use crate::boundary::{Clock, TaskStore};
use crate::domain::ids::{ClusterName, UnixMillis};
use crate::reconcile::handle::ReconcilerHandle;
use crate::stats::StatsHandle;

/// Everything that answers are made from.
#[derive(Clone)]
pub struct ObserveState {
    /// Snapshots and events.
    pub engine: ReconcilerHandle,
    /// Asked for `events_after` only.
    pub store: Arc<dyn TaskStore>,
    /// Images, as the agent remembers them.
    pub images: Arc<dyn ImageInventory>,
    /// Figures for `/metrics`.
    pub figures: Arc<dyn Figures>,
    /// What tasks use.
    pub usage: StatsHandle,
    /// What the agent has beside the engine.
    pub surroundings: Arc<dyn Surroundings>,
    /// The settings in force, secrets masked.
    pub settings: Arc<SettingsAnswer>,
    /// Wall time, for ages.
    pub clock: Arc<dyn Clock>,
    /// Cluster in the ARNs of new tasks.
    pub cluster: ClusterName,
}

/// Figures of the agent and its tasks. Answers from memory.
pub trait Figures: Send + Sync {
    /// Content type and text, in the format that an `Accept` header asks for.
    fn text(&self, accept: Option<&str>) -> (&'static str, String);
}

/// What the agent has beside the engine. Answers from memory.
pub trait Surroundings: Send + Sync {
    /// How listeners and drivers are; each counts for readiness.
    fn checks(&self) -> Vec<Check>;

    /// The watched directory; `None` = there is none.
    fn task_files(&self) -> Option<TaskFiles>;

    /// When the control plane last said something; `None` = it has not, or there is none.
    fn control_plane_heard_at(&self) -> Option<UnixMillis> {
        None
    }

    /// ARN of the container instance; `None` = no control plane has given one.
    fn container_instance(&self) -> Option<String> {
        None
    }
}

/// Places for open streams.
#[derive(Clone, Debug)]
pub(in crate::api) struct Streams(Arc<Semaphore>);

impl Streams {
    /// So many places.
    pub(in crate::api) fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// A place until the permit is dropped.
    pub(in crate::api) fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.0)
            .try_acquire_owned()
            .map_err(|_| Problem::new(ProblemKind::Busy))
    }
}

/// Tells streams that the listener closes. Put into each request by the listener; absent in requests without one.
#[derive(Clone, Debug)]
pub(crate) struct ListenerShutdown(pub(crate) CancellationToken);
