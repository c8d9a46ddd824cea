//! cgroup v2: one tree, times in microseconds.

use std::io;
use std::path::{Path, PathBuf};

use super::files;
use crate::domain::usage::{
    BlockIo, CgroupVersion, ContainerSample, CpuUsage, IoEntry, MemoryUsage, Pids,
};

/// Whether the tree at `root` is one of v2.
pub(super) fn is_mounted(root: &Path) -> bool {
    root.join("cgroup.controllers").is_file()
}

/// Everything but network, times and the host's share.
///
/// # Errors
/// If the container has no CPU time here: it does not run.
pub(super) fn read(root: &Path, place: &Path, host_memory: u64) -> io::Result<ContainerSample> {
    let dir = root.join(place);
    let cpu = cpu(&files::text(&dir.join("cpu.stat"))?);
    let stats = files::optional(&dir.join("memory.stat"));
    let events = files::optional(&dir.join("memory.events"));
    Ok(ContainerSample {
        version: CgroupVersion::V2,
        cpu,
        memory: MemoryUsage {
            usage: files::number(&dir.join("memory.current")).unwrap_or(0),
            max_usage: files::number(&dir.join("memory.peak")).unwrap_or(0),
            limit: limit(root, place).map_or(host_memory, |limit| limit.min(host_memory)),
            failures: files::value(&events, "max"),
            stats: files::pairs(&stats)
                .map(|(key, value)| (key.into(), value))
                .collect(),
        },
        io: io(&files::optional(&dir.join("io.stat"))),
        pids: Pids {
            current: files::number(&dir.join("pids.current")).unwrap_or(0),
            limit: files::number(&dir.join("pids.max")),
        },
        ..ContainerSample::default()
    })
}

/// The list of processes.
pub(super) fn processes(root: &Path, place: &Path) -> PathBuf {
    root.join(place).join("cgroup.procs")
}

fn cpu(text: &str) -> CpuUsage {
    let nanos = |key: &str| files::value(text, key).saturating_mul(1000);
    CpuUsage {
        total_ns: nanos("usage_usec"),
        per_cpu_ns: Vec::new(),
        kernel_ns: nanos("system_usec"),
        user_ns: nanos("user_usec"),
        periods: files::value(text, "nr_periods"),
        throttled_periods: files::value(text, "nr_throttled"),
        throttled_ns: nanos("throttled_usec"),
    }
}

/// The smallest limit of this cgroup and those above.
fn limit(root: &Path, place: &Path) -> Option<u64> {
    let above = place.ancestors().filter(|dir| !dir.as_os_str().is_empty());
    above
        .filter_map(|dir| files::number(&root.join(dir).join("memory.max")))
        .min()
}

/// Lines of `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 …`.
fn io(text: &str) -> BlockIo {
    let mut io = BlockIo::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some((major, minor)) = words.next().and_then(files::device) else {
            continue;
        };
        for word in words {
            let Some((key, value)) = word.split_once('=') else {
                continue;
            };
            let Ok(value) = value.parse() else { continue };
            let (list, op) = match key {
                "rbytes" => (&mut io.bytes, "read"),
                "wbytes" => (&mut io.bytes, "write"),
                "rios" => (&mut io.operations, "read"),
                "wios" => (&mut io.operations, "write"),
                _ => continue,
            };
            list.push(IoEntry {
                major,
                minor,
                op: op.into(),
                value,
            });
        }
    }
    io
}
