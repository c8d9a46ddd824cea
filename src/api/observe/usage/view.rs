//! From what was read to what is shown.

use super::wire::{ContainerUsage, HostUsage, TaskUsage, UsagePoint, UsageRates};
use crate::domain::ids::{ContainerName, TaskArn};
use crate::stats;

pub(super) fn host(usage: &stats::HostUsage) -> HostUsage {
    HostUsage {
        cpus: usage.sample.cpu.online,
        busy_cpus: usage.busy_cpus,
        memory_bytes: usage.sample.memory_total,
        memory_available_bytes: usage.sample.memory_available,
    }
}

pub(super) fn task(arn: &TaskArn, usage: &stats::TaskUsage) -> TaskUsage {
    let containers = usage.containers.iter();
    TaskUsage {
        task_arn: arn.to_string(),
        task_id: arn.task_id().to_string(),
        rates: usage.rates.map(rates),
        memory_bytes: usage.memory,
        pids: usage.pids,
        containers: containers
            .map(|(name, usage)| container(name, usage))
            .collect(),
    }
}

fn container(name: &ContainerName, usage: &stats::ContainerUsage) -> ContainerUsage {
    let latest = usage.latest.as_deref();
    ContainerUsage {
        name: name.to_string(),
        read_at: latest.map(|latest| latest.at.into()),
        rates: usage.rates.map(rates),
        memory_bytes: latest.map_or(0, |latest| latest.memory.working_set(latest.version)),
        memory_limit_bytes: latest.map_or(0, |latest| latest.memory.limit),
        pids: latest.map_or(0, |latest| latest.pids.current),
    }
}

fn rates(rates: stats::Rates) -> UsageRates {
    UsageRates {
        cpus: rates.cpus,
        rx_bytes: rates.rx_bytes,
        tx_bytes: rates.tx_bytes,
        read_bytes: rates.read_bytes,
        written_bytes: rates.written_bytes,
    }
}

pub(super) fn points(history: &stats::History) -> Vec<UsagePoint> {
    let points = history.points().map(|point| UsagePoint {
        at: point.at_secs,
        cpu_millis: point.cpu_millis,
        memory_kib: point.memory_kib,
        rx_bytes: point.rx_bytes,
        tx_bytes: point.tx_bytes,
        read_bytes: point.read_bytes,
        written_bytes: point.written_bytes,
    });
    points.collect()
}
