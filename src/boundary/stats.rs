//! Statistics of containers as the task metadata endpoints show them.

use bytes::Bytes;

use crate::domain::ids::DockerId;

/// Has the last sample of each container. Answers from memory.
pub trait ContainerStats: Send + Sync {
    /// What is there of that container.
    fn stats(&self, container: &DockerId) -> StatsView;
}

/// What is there of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatsView {
    /// It is not sampled: not started, ended, or nothing is sampled at all.
    Untracked,
    /// It is, and there is no sample yet.
    NoSample,
    /// The last sample: JSON objects in the shape of Docker's statistics.
    Sample {
        /// For versions 2 and 3.
        classic: Bytes,
        /// For version 4: with `network_rate_stats` as soon as two samples exist.
        with_rates: Bytes,
    },
}

/// Samples nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStats;

impl ContainerStats for NoStats {
    fn stats(&self, _: &DockerId) -> StatsView {
        StatsView::Untracked
    }
}
