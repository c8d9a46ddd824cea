//! What the readings have shown, for whoever asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::aggregate::{Rates, Totals};
use crate::domain::ids::{ContainerName, DockerId, TaskArn, UnixMillis};
use crate::domain::usage::{ContainerSample, HostSample};

/// What is to be read: tasks that have not stopped, each with its containers that run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracked {
    /// By task. A task may have no container that runs now; what was counted of it is kept all the same.
    pub tasks: BTreeMap<TaskArn, Vec<TrackedContainer>>,
}

impl Tracked {
    /// Docker's ids of all containers.
    pub fn ids(&self) -> impl Iterator<Item = &DockerId> {
        let containers = self.tasks.values().flatten();
        containers.map(|container| &container.docker_id)
    }
}

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedContainer {
    /// Its name in the task.
    pub name: ContainerName,
    /// Docker's id.
    pub docker_id: DockerId,
    /// Docker's name.
    pub docker_name: String,
}

/// Everything, as of the last round of readings.
#[derive(Clone, Debug, Default)]
pub struct UsageSnapshot {
    /// When that round began; `None` = there was none yet.
    pub at: Option<UnixMillis>,
    /// The same instant on the clock of the readings.
    pub taken: Duration,
    /// Tasks that are tracked.
    pub tasks: BTreeMap<TaskArn, TaskUsage>,
    /// The host; `None` where it does not tell.
    pub host: Option<HostUsage>,
}

impl UsageSnapshot {
    /// A tracked container by Docker's id; `None` = it is not tracked: it does not run, or nothing is read here.
    pub fn container(&self, task: &TaskArn, id: &DockerId) -> Option<&ContainerUsage> {
        let mut containers = self.tasks.get(task)?.containers.values();
        containers.find(|usage| usage.docker_id == *id)
    }

    /// A tracked container by Docker's id alone.
    pub fn by_id(&self, id: &DockerId) -> Option<&ContainerUsage> {
        let mut containers = self
            .tasks
            .values()
            .flat_map(|task| task.containers.values());
        containers.find(|usage| usage.docker_id == *id)
    }

    /// Whether some container has not been read twice, so that nothing can be said of its rates.
    pub fn is_incomplete(&self) -> bool {
        let mut containers = self
            .tasks
            .values()
            .flat_map(|task| task.containers.values());
        containers.any(|usage| usage.rates.is_none())
    }
}

/// One task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskUsage {
    /// Tracked containers by name.
    pub containers: BTreeMap<ContainerName, ContainerUsage>,
    /// Counters over all containers and all their runs that were seen; they never fall.
    pub totals: Totals,
    /// Rates of all containers that have some, added up; traffic of a shared network counts once.
    pub rates: Option<Rates>,
    /// Working sets of all containers together, in bytes.
    pub memory: u64,
    /// Processes and threads of all containers.
    pub pids: u64,
}

/// One tracked container.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerUsage {
    /// Docker's id.
    pub docker_id: DockerId,
    /// Docker's name.
    pub docker_name: Arc<str>,
    /// The last reading; `None` = none has succeeded yet.
    pub latest: Option<Arc<ContainerSample>>,
    /// The one before, of the same run.
    pub previous: Option<Arc<ContainerSample>>,
    /// What follows from the two; `None` until there are two.
    pub rates: Option<Rates>,
}

/// The host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostUsage {
    /// The last reading.
    pub sample: HostSample,
    /// CPUs that were busy, as a number: 1.5 = one and a half; `None` until there are two readings.
    pub busy_cpus: Option<f64>,
}
