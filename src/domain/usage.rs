//! What a container and the host use, as the kernel counts it: one reading at one instant.
//!
//! Counters only grow while a container runs, and begin anew with each run. What follows from two readings (rates,
//! totals over restarts) is `crate::stats`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ids::UnixMillis;

/// One reading of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerSample {
    /// When, by the host's wall clock: for people, never for arithmetic.
    pub at: UnixMillis,
    /// When, on a clock that does not jump, since an instant of the reader's choice.
    pub taken: Duration,
    /// Which kernel interface it was read from.
    pub version: CgroupVersion,
    /// CPU time.
    pub cpu: CpuUsage,
    /// CPU time of the whole host at the same instant.
    pub host_cpu: HostCpu,
    /// Memory.
    pub memory: MemoryUsage,
    /// Block devices.
    pub io: BlockIo,
    /// Processes and threads.
    pub pids: Pids,
    /// Network interfaces; `None` where the container has the host's.
    pub network: Option<NetworkUsage>,
}

/// The kernel interface that a reading comes from; they count different things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CgroupVersion {
    /// One tree a controller.
    #[default]
    V1,
    /// The unified tree.
    V2,
}

/// CPU time since the container's run began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuUsage {
    /// On all CPUs together, in nanoseconds.
    pub total_ns: u64,
    /// On each CPU, in nanoseconds; empty where the kernel does not tell (v2).
    pub per_cpu_ns: Vec<u64>,
    /// In the kernel, in nanoseconds.
    pub kernel_ns: u64,
    /// In user mode, in nanoseconds.
    pub user_ns: u64,
    /// Periods of the quota that have passed.
    pub periods: u64,
    /// Periods in which the quota was used up.
    pub throttled_periods: u64,
    /// Time for which it was held back, in nanoseconds.
    pub throttled_ns: u64,
}

/// CPU time of the whole host since it was booted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCpu {
    /// All of it, idle time included, over all CPUs, in nanoseconds.
    pub total_ns: u64,
    /// The part of it that was not idle, in nanoseconds.
    pub busy_ns: u64,
    /// CPUs that are on.
    pub online: u32,
}

/// Memory in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Charged now, page cache included.
    pub usage: u64,
    /// Most that was charged at once; 0 = the kernel does not tell.
    pub max_usage: u64,
    /// The smallest limit that holds: the container's own, its task's or the host's memory.
    pub limit: u64,
    /// How often the limit was hit.
    pub failures: u64,
    /// The kernel's own figures by its own names, in its order.
    pub stats: Vec<(Box<str>, u64)>,
}

impl MemoryUsage {
    /// What would be missed if it were taken away: usage less the page cache that can go at once. The rule of the
    /// reference agent: v2 has `inactive_file`, v1 `cache`.
    pub fn working_set(&self, version: CgroupVersion) -> u64 {
        let name = match version {
            CgroupVersion::V1 => "cache",
            CgroupVersion::V2 => "inactive_file",
        };
        let cache = self.stat(name).unwrap_or(0);
        self.usage.checked_sub(cache).unwrap_or(self.usage)
    }

    /// A figure of the kernel.
    pub fn stat(&self, name: &str) -> Option<u64> {
        let found = self.stats.iter().find(|(key, _)| &**key == name);
        found.map(|(_, value)| *value)
    }
}

/// Traffic with block devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockIo {
    /// Bytes.
    pub bytes: Vec<IoEntry>,
    /// Operations.
    pub operations: Vec<IoEntry>,
}

/// One counter of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoEntry {
    /// Major number of the device.
    pub major: u64,
    /// Minor number.
    pub minor: u64,
    /// What is counted, in the kernel's word: `Read`, `Write`, … (v1) or `read`, `write` (v2).
    pub op: Box<str>,
    /// How much.
    pub value: u64,
}

impl BlockIo {
    /// Bytes read from all devices.
    pub fn read_bytes(&self) -> u64 {
        self.sum("read")
    }

    /// Bytes written to all devices.
    pub fn written_bytes(&self) -> u64 {
        self.sum("write")
    }

    fn sum(&self, op: &str) -> u64 {
        let entries = self.bytes.iter();
        let values = entries
            .filter(|entry| entry.op.eq_ignore_ascii_case(op))
            .map(|entry| entry.value);
        values.fold(0, u64::saturating_add)
    }
}

/// Processes and threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pids {
    /// Now.
    pub current: u64,
    /// At most; `None` = no limit.
    pub limit: Option<u64>,
}

/// What the interfaces of one network namespace count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkUsage {
    /// Which namespace: containers that share one count the same traffic.
    pub namespace: u64,
    /// By name, without loopback.
    pub interfaces: BTreeMap<Box<str>, InterfaceCounters>,
}

impl NetworkUsage {
    /// Bytes received on all interfaces.
    pub fn received_bytes(&self) -> u64 {
        let values = self.interfaces.values().map(|counters| counters.rx_bytes);
        values.fold(0, u64::saturating_add)
    }

    /// Bytes sent on all interfaces.
    pub fn sent_bytes(&self) -> u64 {
        let values = self.interfaces.values().map(|counters| counters.tx_bytes);
        values.fold(0, u64::saturating_add)
    }
}

/// Counters of one interface, seen from inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceCounters {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets received with errors.
    pub rx_errors: u64,
    /// Packets dropped on the way in.
    pub rx_dropped: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets dropped on the way out.
    pub tx_dropped: u64,
}

/// One reading of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostSample {
    /// When, on the clock of [`ContainerSample::taken`].
    pub taken: Duration,
    /// CPU time.
    pub cpu: HostCpu,
    /// Memory in bytes.
    pub memory_total: u64,
    /// Memory that programs could still have without swapping, in bytes.
    pub memory_available: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(usage: u64, stats: &[(&str, u64)]) -> MemoryUsage {
        MemoryUsage {
            usage,
            stats: stats
                .iter()
                .map(|&(key, value)| (key.into(), value))
                .collect(),
            ..MemoryUsage::default()
        }
    }

    #[test]
    fn the_working_set_is_usage_less_cache_that_can_go() {
        let stats = [("cache", 30), ("inactive_file", 10)];
        let check = |usage, version, expected| {
            assert_eq!(memory(usage, &stats).working_set(version), expected);
        };
        check(100, CgroupVersion::V1, 70);
        check(100, CgroupVersion::V2, 90);
        // Figures are read one after the other: a cache that has grown meanwhile says nothing.
        check(20, CgroupVersion::V1, 20);
        assert_eq!(memory(7, &[]).working_set(CgroupVersion::V2), 7);
    }

    #[test]
    fn bytes_of_devices_are_added_in_either_spelling() {
        let entry = |minor, op: &str, value| IoEntry {
            major: 8,
            minor,
            op: op.into(),
            value,
        };
        let io = BlockIo {
            bytes: vec![
                entry(0, "Read", 1),
                entry(16, "read", 2),
                entry(0, "Write", 4),
                entry(0, "Total", 5),
            ],
            operations: vec![entry(0, "Read", 100)],
        };
        assert_eq!((io.read_bytes(), io.written_bytes()), (3, 4));
    }
}
