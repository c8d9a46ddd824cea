//! cgroup v1: each controller has a tree and units of its own.

use std::io;
use std::path::{Path, PathBuf};

use super::files;
use crate::domain::usage::{
    BlockIo, CgroupVersion, ContainerSample, CpuUsage, IoEntry, MemoryUsage, Pids,
};

/// Nanoseconds of a clock tick. Programs see 100 ticks a second on every architecture that Docker runs on.
pub(super) const TICK_NS: u64 = 10_000_000;

/// Names under which the controllers of CPU time may be mounted.
const CPU: [&str; 3] = ["cpu", "cpu,cpuacct", "cpuacct,cpu"];
const CPUACCT: [&str; 3] = ["cpuacct", "cpu,cpuacct", "cpuacct,cpu"];

/// Controllers whose tree shows which containers there are.
pub(super) const SEARCHED: [&str; 3] = ["memory", "cpuacct", "cpu,cpuacct"];

/// Everything but network, times and the host's share.
///
/// # Errors
/// If the container has neither CPU time nor memory here: it does not run, or v1 is not what it runs under.
pub(super) fn read(root: &Path, place: &Path, host_memory: u64) -> io::Result<ContainerSample> {
    let cpu = cpu(root, place)?;
    let memory = memory(&root.join("memory").join(place), host_memory)?;
    let pids = root.join("pids").join(place);
    Ok(ContainerSample {
        version: CgroupVersion::V1,
        cpu,
        memory,
        io: io(&root.join("blkio").join(place)),
        pids: Pids {
            current: files::number(&pids.join("pids.current")).unwrap_or(0),
            limit: files::number(&pids.join("pids.max")),
        },
        ..ContainerSample::default()
    })
}

/// The list of processes; every tree has the same.
pub(super) fn processes(root: &Path, place: &Path) -> PathBuf {
    root.join("memory").join(place).join("cgroup.procs")
}

fn mounted(root: &Path, names: [&str; 3], place: &Path) -> PathBuf {
    let paths = names.map(|name| root.join(name).join(place));
    let found = paths.iter().find(|path| path.is_dir());
    found
        .cloned()
        .unwrap_or_else(|| root.join("cpu").join(place))
}

fn cpu(root: &Path, place: &Path) -> io::Result<CpuUsage> {
    let accounts = mounted(root, CPUACCT, place);
    let total = files::text(&accounts.join("cpuacct.usage"))?;
    let per_cpu = files::optional(&accounts.join("cpuacct.usage_percpu"));
    let modes = files::optional(&accounts.join("cpuacct.stat"));
    let quota = files::optional(&mounted(root, CPU, place).join("cpu.stat"));
    Ok(CpuUsage {
        total_ns: total.trim().parse().unwrap_or(0),
        per_cpu_ns: per_cpu
            .split_ascii_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect(),
        kernel_ns: files::value(&modes, "system").saturating_mul(TICK_NS),
        user_ns: files::value(&modes, "user").saturating_mul(TICK_NS),
        periods: files::value(&quota, "nr_periods"),
        throttled_periods: files::value(&quota, "nr_throttled"),
        throttled_ns: files::value(&quota, "throttled_time"),
    })
}

fn memory(dir: &Path, host_memory: u64) -> io::Result<MemoryUsage> {
    let usage = files::text(&dir.join("memory.usage_in_bytes"))?;
    let stats = files::optional(&dir.join("memory.stat"));
    // Takes in the limits of all cgroups above.
    let limit = files::value(&stats, "hierarchical_memory_limit");
    Ok(MemoryUsage {
        usage: usage.trim().parse().unwrap_or(0),
        max_usage: files::number(&dir.join("memory.max_usage_in_bytes")).unwrap_or(0),
        limit: Some(limit)
            .filter(|limit| *limit > 0)
            .map_or(host_memory, |limit| limit.min(host_memory)),
        failures: files::number(&dir.join("memory.failcnt")).unwrap_or(0),
        stats: files::pairs(&stats)
            .map(|(key, value)| (key.into(), value))
            .collect(),
    })
}

/// Counted where requests are throttled, since that is counted with every I/O scheduler.
fn io(dir: &Path) -> BlockIo {
    let read = |names: [&str; 2]| {
        let texts = names.map(|name| files::optional(&dir.join(name)));
        let text = texts.into_iter().find(|text| !text.is_empty());
        entries(&text.unwrap_or_default())
    };
    BlockIo {
        bytes: read([
            "blkio.throttle.io_service_bytes_recursive",
            "blkio.throttle.io_service_bytes",
        ]),
        operations: read([
            "blkio.throttle.io_serviced_recursive",
            "blkio.throttle.io_serviced",
        ]),
    }
}

/// Lines of `8:0 Read 4096`. The total of all devices, which names none, is left out.
fn entries(text: &str) -> Vec<IoEntry> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (major, minor) = files::device(words.next()?)?;
        Some(IoEntry {
            major,
            minor,
            op: words.next()?.into(),
            value: words.next()?.parse().ok()?,
        })
    });
    lines.collect()
}
