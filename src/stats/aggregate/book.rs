//! Keeps what earlier rounds have shown, and says after each round what is known now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::rates::{Rates, busy_cpus, is_same_run};
use super::totals::{Totals, counters};
use crate::boundary::usage::UsageRound;
use crate::domain::ids::{ContainerName, DockerId, TaskArn, UnixMillis};
use crate::domain::usage::{ContainerSample, HostSample, NetworkUsage};
use crate::stats::snapshot::{
    ContainerUsage, HostUsage, TaskUsage, Tracked, TrackedContainer, UsageSnapshot,
};

/// Everything that is remembered.
#[derive(Debug, Default)]
pub struct Book {
    tasks: BTreeMap<TaskArn, TaskBook>,
    host: Option<HostUsage>,
}

/// One task.
#[derive(Debug, Default)]
struct TaskBook {
    usage: TaskUsage,
    /// The last counters that went into the totals. Kept while a container is between two runs.
    counted: BTreeMap<ContainerName, (DockerId, Totals)>,
    /// The same for networks, which containers may share.
    networks: BTreeMap<u64, Totals>,
}

impl Book {
    /// Takes a round in that began at `at`. Tasks that are not tracked any more are forgotten.
    pub fn record(
        &mut self,
        tracked: &Tracked,
        round: UsageRound,
        at: UnixMillis,
    ) -> UsageSnapshot {
        let (began, host) = (round.began, round.host);
        let mut samples: BTreeMap<DockerId, Arc<ContainerSample>> = round
            .containers
            .into_iter()
            .filter_map(|(id, result)| {
                let sample = result.ok()?;
                let at = at.plus(sample.taken.saturating_sub(began));
                Some((id, Arc::new(ContainerSample { at, ..sample })))
            })
            .collect();
        self.tasks.retain(|arn, _| tracked.tasks.contains_key(arn));
        for (arn, containers) in &tracked.tasks {
            let book = self.tasks.entry(arn.clone()).or_default();
            book.record(containers, &mut samples);
        }
        self.host = host.map(|sample| with_rate(self.host, sample));
        let tasks = self.tasks.iter();
        UsageSnapshot {
            at: Some(at),
            taken: began,
            tasks: tasks
                .map(|(arn, book)| (arn.clone(), book.usage.clone()))
                .collect(),
            host: self.host,
        }
    }
}

impl TaskBook {
    fn record(
        &mut self,
        tracked: &[TrackedContainer],
        samples: &mut BTreeMap<DockerId, Arc<ContainerSample>>,
    ) {
        let before = std::mem::take(&mut self.usage);
        self.usage.totals = before.totals;
        for container in tracked {
            let earlier = before.containers.get(&container.name);
            let sample = samples.remove(&container.docker_id);
            if let Some(sample) = &sample {
                self.count(container, sample);
            }
            let usage = advance(earlier, container, sample);
            self.usage.containers.insert(container.name.clone(), usage);
        }
        self.add_up();
    }

    /// Adds what a container has counted since it was last seen to the totals.
    fn count(&mut self, container: &TrackedContainer, sample: &ContainerSample) {
        let now = counters(sample).without_network();
        let (id, name) = (container.docker_id.clone(), container.name.clone());
        let last = self.counted.insert(name, (id, now));
        let grown = match last {
            // A fall of the CPU time is another run of the same container: all of it has come since.
            Some((id, last)) if id == container.docker_id && last.cpu_ns <= now.cpu_ns => {
                now.grown_since(last)
            }
            _ => now,
        };
        self.usage.totals = self.usage.totals.plus(grown);
        if let Some(network) = &sample.network {
            self.count_network(network);
        }
    }

    /// The second container of a round that shows the same network adds next to nothing.
    fn count_network(&mut self, network: &NetworkUsage) {
        let now = Totals {
            rx_bytes: network.received_bytes(),
            tx_bytes: network.sent_bytes(),
            ..Totals::default()
        };
        let last = self.networks.insert(network.namespace, now);
        let grown = now.grown_since(last.unwrap_or_default());
        self.usage.totals = self.usage.totals.plus(grown);
    }

    /// What is a task's at one instant. Containers that share a network show its traffic once.
    fn add_up(&mut self) {
        let mut networks = BTreeSet::new();
        let TaskUsage {
            containers,
            rates: sum,
            memory,
            pids,
            ..
        } = &mut self.usage;
        for usage in containers.values() {
            let Some(latest) = &usage.latest else {
                continue;
            };
            let working_set = latest.memory.working_set(latest.version);
            *memory = memory.saturating_add(working_set);
            *pids = pids.saturating_add(latest.pids.current);
            if let Some(rates) = usage.rates {
                let network = latest.network.as_ref();
                let first = network.is_some_and(|network| networks.insert(network.namespace));
                *sum = Some(add(sum.unwrap_or_default(), rates, first));
            }
        }
        // A network that none of its containers shows any more was taken down.
        let shown: BTreeSet<u64> = containers
            .values()
            .filter_map(|usage| Some(usage.latest.as_ref()?.network.as_ref()?.namespace))
            .collect();
        self.networks
            .retain(|namespace, _| containers.is_empty() || shown.contains(namespace));
    }
}

fn with_rate(before: Option<HostUsage>, sample: HostSample) -> HostUsage {
    HostUsage {
        sample,
        busy_cpus: before.and_then(|before| busy_cpus(&before.sample, &sample)),
    }
}

/// A container with what this round has read of it.
fn advance(
    before: Option<&ContainerUsage>,
    tracked: &TrackedContainer,
    sample: Option<Arc<ContainerSample>>,
) -> ContainerUsage {
    let before = before.filter(|before| before.docker_id == tracked.docker_id);
    let Some(sample) = sample else {
        // What could be read once is shown until something newer is: its time says how old it is.
        return before.cloned().unwrap_or_else(|| unread(tracked));
    };
    let last = before.and_then(|before| before.latest.clone());
    let last = last.filter(|last| is_same_run(last, &sample));
    let between = last.as_ref().map(|last| Rates::between(last, &sample));
    let rates = match between {
        None => None,
        // No time has passed: what held before still holds.
        Some(rates) => rates.or(before.and_then(|before| before.rates)),
    };
    ContainerUsage {
        latest: Some(sample),
        previous: last,
        rates,
        ..unread(tracked)
    }
}

fn unread(tracked: &TrackedContainer) -> ContainerUsage {
    ContainerUsage {
        docker_id: tracked.docker_id.clone(),
        docker_name: tracked.docker_name.as_str().into(),
        latest: None,
        previous: None,
        rates: None,
    }
}

fn add(sum: Rates, rates: Rates, with_network: bool) -> Rates {
    let of_network = |value: f64| if with_network { value } else { 0.0 };
    Rates {
        cpus: sum.cpus + rates.cpus,
        rx_bytes: sum.rx_bytes + of_network(rates.rx_bytes),
        tx_bytes: sum.tx_bytes + of_network(rates.tx_bytes),
        read_bytes: sum.read_bytes + rates.read_bytes,
        written_bytes: sum.written_bytes + rates.written_bytes,
    }
}
