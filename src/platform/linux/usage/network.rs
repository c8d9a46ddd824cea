//! The interfaces of a network namespace, seen through a process that is in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::files;
use crate::domain::usage::{InterfaceCounters, NetworkUsage};

/// Bytes of a list of processes that are read: the first one counts, and is 7 digits at most.
const LIST_BYTES: u64 = 64;

/// Ends of tunnels that the kernel puts into every namespace as soon as a module for them is loaded.
const BUILT_IN: [&str; 9] = [
    "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6gre0",
];

/// Levels below a container's cgroup that are looked into: programs that make cgroups of their own, an `init` or
/// another container engine, leave none of their processes at the top.
const MAX_DEPTH: usize = 2;

/// A process of the container: the first one, since others may have gone into namespaces of their own.
pub(super) fn first_process(list: &Path) -> Option<u32> {
    find_process(list, MAX_DEPTH)
}

fn find_process(list: &Path, depth: usize) -> Option<u32> {
    let text = files::head(list, LIST_BYTES).ok()?;
    // Of a list that is longer than what was read, the first line is whole all the same.
    if let Some(pid) = text.lines().next().and_then(|line| line.parse().ok()) {
        return Some(pid);
    }
    let below = depth.checked_sub(1)?;
    let mut entries = fs::read_dir(list.parent()?).ok()?.flatten();
    entries.find_map(|entry| {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let list = entry.path().join("cgroup.procs");
        is_dir.then(|| find_process(&list, below)).flatten()
    })
}

/// The number of the network namespace of a process (`self` for this one).
pub(super) fn namespace(proc: &Path, process: &str) -> Option<u64> {
    let link = fs::read_link(proc.join(process).join("ns/net")).ok()?;
    let text = link.to_str()?.strip_prefix("net:[")?;
    text.strip_suffix(']')?.parse().ok()
}

/// What the process's namespace counts; `None` if that is the host's, or cannot be told from it.
pub(super) fn read(proc: &Path, pid: u32, host: Option<u64>) -> Option<NetworkUsage> {
    let process = pid.to_string();
    let namespace = namespace(proc, &process).filter(|found| Some(*found) != host)?;
    let table = files::text(&proc.join(&process).join("net/dev")).ok()?;
    Some(NetworkUsage {
        namespace,
        interfaces: interfaces(&table),
    })
}

/// Interfaces of `/proc/net/dev`, without loopback and what the kernel puts there.
fn interfaces(table: &str) -> BTreeMap<Box<str>, InterfaceCounters> {
    // Two lines of headings.
    let lines = table.lines().skip(2).filter_map(|line| {
        let (name, counters) = line.split_once(':')?;
        let name = name.trim();
        if name == "lo" || BUILT_IN.contains(&name) {
            return None;
        }
        Some((name.into(), counters_of(counters)?))
    });
    lines.collect()
}

/// Eight columns in, eight out; the first four of each are meant.
fn counters_of(columns: &str) -> Option<InterfaceCounters> {
    let values: Vec<u64> = columns
        .split_ascii_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    let [
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        _,
        _,
        _,
        _,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_dropped,
        ..,
    ] = *values.as_slice()
    else {
        return None;
    };
    Some(InterfaceCounters {
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_dropped,
    })
}
