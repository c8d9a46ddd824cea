//! Processes that hold a socket.

use std::fs;
use std::path::{Path, PathBuf};

use crate::platform::port_table::socket_inode;

/// Processes that one look goes through; a large host has some 10,000.
const MAX_PROCESSES: usize = 100_000;

/// Descriptors of one process that are looked at.
const MAX_DESCRIPTORS: usize = 100_000;

/// Levels below a container's cgroup that are looked into: some programs make cgroups of their own.
const MAX_DEPTH: usize = 3;

/// Whether the process has the socket open. What cannot be seen is not there.
pub(super) fn holds(proc: &Path, pid: u32, inode: u64) -> bool {
    let Ok(entries) = fs::read_dir(proc.join(pid.to_string()).join("fd")) else {
        return false;
    };
    entries.take(MAX_DESCRIPTORS).flatten().any(|entry| {
        let target = fs::read_link(entry.path()).ok();
        let found = target.as_deref().and_then(Path::to_str);
        found.and_then(socket_inode) == Some(inode)
    })
}

/// All processes that are shown.
pub(super) fn all(proc: &Path) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.take(MAX_PROCESSES)
}

/// The processes in a cgroup and those below it.
pub(super) fn in_cgroup(directory: &Path) -> Vec<u32> {
    let mut pids = Vec::new();
    let mut open: Vec<(PathBuf, usize)> = vec![(directory.to_owned(), 0)];
    while let Some((place, depth)) = open.pop() {
        let list = fs::read_to_string(place.join("cgroup.procs")).unwrap_or_default();
        pids.extend(list.lines().filter_map(|line| line.parse::<u32>().ok()));
        if depth == MAX_DEPTH || pids.len() > MAX_PROCESSES {
            continue;
        }
        let below = fs::read_dir(&place).into_iter().flatten().flatten();
        let directories = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        open.extend(directories.map(|entry| (entry.path(), depth + 1)));
    }
    pids
}
