//! What containers use, asked of the kernel: so it is known while the container engine does not answer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::BoundaryError;
use crate::domain::ids::{DockerId, TaskId};
use crate::domain::usage::{ContainerSample, HostSample};

/// A container to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageTarget {
    /// Docker's id.
    pub id: DockerId,
    /// Its task, whose cgroup it may be in.
    pub task: TaskId,
}

/// What one round of readings found.
#[derive(Debug, Default)]
pub struct UsageRound {
    /// When the round began, on the clock of [`ContainerSample::taken`]; the samples' `at` is left to the caller.
    pub began: Duration,
    /// The host; `None` where it does not tell.
    pub host: Option<HostSample>,
    /// Each target that was asked for.
    pub containers: BTreeMap<DockerId, Result<ContainerSample, BoundaryError>>,
}

/// Reads usage.
pub trait UsageSource: Send + Sync {
    /// One reading of each target, and of the host. `NotFound` for a container that does not run now. Blocks for as
    /// long as the kernel takes, so it is called on a thread that may; a round costs some 200 µs a container.
    fn read(&self, targets: &[UsageTarget]) -> UsageRound;
}
