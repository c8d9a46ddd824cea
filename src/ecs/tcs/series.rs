//! Readings of each container since the last round, and the metrics that they make.
//!
//! **Invariants.** A reading is in one round at most, and so is a restart. Of a container without a rate of CPU, which
//! needs two readings, nothing is told. What was told is known by this process alone: restarts of before it began
//! count as told.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sets::{of_counters, of_values};
use super::wire::{ContainerMetric, NetworkStatsSet, RestartStatsSet, StorageStatsSet, TaskMetric};
use crate::domain::ids::{DockerId, TaskArn, UnixMillis};
use crate::domain::status::{ContainerStatus, TaskStatus};
use crate::domain::task::{KnownContainer, Task};
use crate::domain::usage::{ContainerSample, InterfaceCounters};

/// Most readings kept of a container: a round has four, or twenty where they are read every second.
const MAX_READINGS: usize = 80;

const BYTES_PER_MIB: u64 = 1024 * 1024;

/// Readings of one run of a container.
#[derive(Debug, Default)]
struct Run {
    /// The last one of the round before.
    before: Option<Arc<ContainerSample>>,
    fresh: Vec<Arc<ContainerSample>>,
    /// Restarts that were told, once it was looked for any.
    restarts: Option<u32>,
    /// The same before the last round.
    restarts_before: Option<u32>,
}

/// All readings since the last round.
#[derive(Debug, Default)]
pub struct Series {
    /// When this process began.
    began: UnixMillis,
    runs: BTreeMap<DockerId, Run>,
}

impl Series {
    /// Of a process that began then.
    pub fn since(began: UnixMillis) -> Self {
        Self {
            began,
            runs: BTreeMap::new(),
        }
    }

    /// Takes a reading in; one that is known already is not another.
    pub fn record(&mut self, container: &DockerId, sample: &Arc<ContainerSample>) {
        let run = self.runs.entry(container.clone()).or_default();
        let last = run.fresh.last().or(run.before.as_ref());
        if last.is_some_and(|last| last.taken >= sample.taken) {
            return;
        }
        if run.fresh.len() < MAX_READINGS {
            run.fresh.push(Arc::clone(sample));
        }
    }

    /// The metrics of these tasks, and with that the end of the round. Readings of other containers go.
    pub fn round<'a>(&mut self, tasks: impl Iterator<Item = &'a Task>) -> Vec<TaskMetric> {
        let mut live = BTreeMap::new();
        let mut metrics = Vec::new();
        for task in tasks.filter(|task| is_tracked(task)) {
            let mut containers = Vec::new();
            for (name, known) in &task.known.containers {
                let Some(id) = known.docker_id.as_ref().filter(|_| runs(known)) else {
                    continue;
                };
                let run = self.runs.remove(id).unwrap_or_default();
                let policy = task
                    .desired
                    .definition
                    .container(name)
                    .is_some_and(|it| it.restart_policy.is_some());
                let told = run.restarts;
                let told = told.unwrap_or_else(|| restarts_before(known, self.began));
                let news = i64::from(known.restart_count.saturating_sub(told));
                let metric = metric(name.as_str(), &run, policy.then_some(news));
                let restarts = metric.as_ref().map_or(told, |_| known.restart_count);
                containers.extend(metric);
                live.insert(
                    id.clone(),
                    Run {
                        before: run.fresh.last().cloned().or(run.before),
                        fresh: Vec::new(),
                        restarts: Some(restarts),
                        restarts_before: Some(told),
                    },
                );
            }
            if !containers.is_empty() {
                metrics.push(task_metric(task.arn(), task, containers));
            }
        }
        self.runs = live;
        metrics
    }

    /// The round that was made last is not told: the next one has its restarts too.
    pub fn forget_round(&mut self) {
        for run in self.runs.values_mut() {
            run.restarts = run.restarts_before;
        }
    }
}

/// Restarts of before the process began, as far as can be known when the container is first looked at: all but the
/// last are, of a container that is older.
fn restarts_before(container: &KnownContainer, began: UnixMillis) -> u32 {
    let is_older = container.started_at.is_some_and(|at| at < began);
    let since = container.last_restart_at.is_some_and(|at| at >= began);
    if is_older {
        container.restart_count.saturating_sub(u32::from(since))
    } else {
        0
    }
}

/// Whether a task is one that is told of: it has not ended, and a container of it runs. An instance without such a
/// task is idle (reference agent).
pub fn is_tracked(task: &Task) -> bool {
    task.known.status != TaskStatus::Stopped && task.known.containers.values().any(runs)
}

/// From its start to its end; a restart by its policy is none.
pub(super) fn runs(container: &KnownContainer) -> bool {
    container.status == ContainerStatus::Running
}

fn task_metric(arn: &TaskArn, task: &Task, containers: Vec<ContainerMetric>) -> TaskMetric {
    let definition = &task.desired.definition;
    TaskMetric {
        task_arn: arn.to_string(),
        task_definition_family: definition.family.to_string(),
        task_definition_version: definition.revision.to_string(),
        container_metrics: containers,
    }
}

fn metric(name: &str, run: &Run, restarts: Option<i64>) -> Option<ContainerMetric> {
    let cpu = of_values(pairs(run).filter_map(|(earlier, later)| cpu_percent(earlier, later)))?;
    let memory = of_values(run.fresh.iter().map(|sample| memory_mib(sample)))?;
    Some(ContainerMetric {
        container_name: name.to_owned(),
        cpu_stats_set: cpu,
        memory_stats_set: memory,
        network_stats_set: network(run),
        storage_stats_set: StorageStatsSet {
            read_size_bytes: of_counters(run.fresh.iter().map(|sample| sample.io.read_bytes())),
            write_size_bytes: of_counters(run.fresh.iter().map(|sample| sample.io.written_bytes())),
        },
        restart_stats_set: restarts.map(|restart_count| RestartStatsSet { restart_count }),
    })
}

/// Neighbouring readings, of which the later is fresh.
fn pairs(run: &Run) -> impl Iterator<Item = (&ContainerSample, &ContainerSample)> {
    let all = || run.before.iter().chain(&run.fresh).map(Arc::as_ref);
    all().zip(all().skip(1))
}

/// Percent of the whole host: 100 = all CPUs are busy. A counter that fell begins another run and says nothing.
fn cpu_percent(earlier: &ContainerSample, later: &ContainerSample) -> Option<f64> {
    let cpus = u64::from(later.host_cpu.online.max(1));
    let used = later.cpu.total_ns.checked_sub(earlier.cpu.total_ns)?;
    let passed = later.taken.checked_sub(earlier.taken)?;
    (!passed.is_zero()).then(|| 100.0 * as_f64(used / cpus) / (passed.as_secs_f64() * 1e9))
}

/// Whole MiB, without page cache that can go.
fn memory_mib(sample: &ContainerSample) -> f64 {
    as_f64(sample.memory.working_set(sample.version) / BYTES_PER_MIB)
}

fn network(run: &Run) -> Option<NetworkStatsSet> {
    let sums: Vec<InterfaceCounters> = run.fresh.iter().filter_map(|sample| sum(sample)).collect();
    if sums.is_empty() {
        return None;
    }
    let set = |counter: fn(&InterfaceCounters) -> u64| of_counters(sums.iter().map(counter));
    let rate = |counter: fn(&InterfaceCounters) -> u64| {
        of_values(pairs(run).filter_map(|(earlier, later)| {
            let grown = counter(&sum(later)?).checked_sub(counter(&sum(earlier)?))?;
            let passed = later.taken.checked_sub(earlier.taken)?.as_secs_f64();
            (passed > 0.0).then(|| as_f64(grown) / passed)
        }))
    };
    Some(NetworkStatsSet {
        rx_bytes: set(|it| it.rx_bytes),
        rx_dropped: set(|it| it.rx_dropped),
        rx_errors: set(|it| it.rx_errors),
        rx_packets: set(|it| it.rx_packets),
        tx_bytes: set(|it| it.tx_bytes),
        tx_dropped: set(|it| it.tx_dropped),
        tx_errors: set(|it| it.tx_errors),
        tx_packets: set(|it| it.tx_packets),
        rx_bytes_per_second: rate(|it| it.rx_bytes),
        tx_bytes_per_second: rate(|it| it.tx_bytes),
    })
}

/// All interfaces together; `None` = the container has the host's, or none.
fn sum(sample: &ContainerSample) -> Option<InterfaceCounters> {
    let interfaces = &sample.network.as_ref()?.interfaces;
    (!interfaces.is_empty()).then(|| {
        interfaces
            .values()
            .fold(InterfaceCounters::default(), |all, one| InterfaceCounters {
                rx_bytes: all.rx_bytes.saturating_add(one.rx_bytes),
                rx_packets: all.rx_packets.saturating_add(one.rx_packets),
                rx_errors: all.rx_errors.saturating_add(one.rx_errors),
                rx_dropped: all.rx_dropped.saturating_add(one.rx_dropped),
                tx_bytes: all.tx_bytes.saturating_add(one.tx_bytes),
                tx_packets: all.tx_packets.saturating_add(one.tx_packets),
                tx_errors: all.tx_errors.saturating_add(one.tx_errors),
                tx_dropped: all.tx_dropped.saturating_add(one.tx_dropped),
            })
    })
}

/// Counters far below 2^53, where doubles begin to round.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a rounded figure is as good"
)]
pub(super) fn as_f64(value: u64) -> f64 {
    value as f64
}
