//! The host as a whole, from `/proc/stat` and `/proc/meminfo`.

use std::path::Path;

use super::files;
use super::v1::TICK_NS;
use crate::domain::usage::HostCpu;

/// Memory of the host in bytes: all of it, and what programs could still have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HostMemory {
    pub(super) total: u64,
    pub(super) available: u64,
}

/// CPU time since the host was booted.
pub(super) fn cpu(proc: &Path) -> Option<HostCpu> {
    let text = files::text(&proc.join("stat")).ok()?;
    cpu_of(&text)
}

/// Memory now.
pub(super) fn memory(proc: &Path) -> HostMemory {
    let text = files::optional(&proc.join("meminfo"));
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let kib = line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or(0).saturating_mul(1024)
    };
    HostMemory {
        total: value("MemTotal:"),
        available: value("MemAvailable:"),
    }
}

/// The columns that Docker adds up too: user, nice, system, idle, iowait, irq, softirq. Time that was stolen from the
/// host was nobody's on it; guests' time is in user's already.
fn cpu_of(stat: &str) -> Option<HostCpu> {
    let lines = || stat.lines().take_while(|line| line.starts_with("cpu"));
    let all = lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = all
        .split_ascii_whitespace()
        .take(7)
        .map_while(|word| word.parse().ok())
        .collect();
    let [user, nice, system, idle, iowait, irq, softirq] = *ticks.as_slice() else {
        return None;
    };
    let sum = |parts: &[u64]| parts.iter().copied().fold(0, u64::saturating_add);
    let busy = sum(&[user, nice, system, irq, softirq]);
    Some(HostCpu {
        total_ns: sum(&[busy, idle, iowait]).saturating_mul(TICK_NS),
        busy_ns: busy.saturating_mul(TICK_NS),
        online: u32::try_from(lines().count().saturating_sub(1)).unwrap_or(u32::MAX),
    })
}
