//! Processes that hold a socket.

use std::ffi::OsString;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::platform::port_table::socket_inode;

/// Processes that one look goes through; a large host has some 10,000.
const MAX_PROCESSES: usize = 100_000;

/// Descriptors of one process that are looked at.
const MAX_DESCRIPTORS: usize = 100_000;

/// Levels below a container's cgroup that are looked into: some programs make cgroups of their own.
const MAX_DEPTH: usize = 3;

/// Where a process has a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// The process.
    pub(super) pid: u32,
    /// Name of the descriptor.
    descriptor: OsString,
}

impl Held {
    /// Whether it still has that socket there. What cannot be seen is not there.
    pub(super) fn has(&self, proc: &Path, inode: u64) -> bool {
        let place = descriptors(proc, self.pid).join(&self.descriptor);
        socket_at(&place) == Some(inode)
    }
}

/// The descriptors of a process in that range, in the order in which the kernel shows them; `None` = one that is no
/// socket.
pub(super) fn sockets(
    proc: &Path,
    pid: u32,
    range: Range<usize>,
) -> impl Iterator<Item = Option<(u64, Held)>> {
    let entries = fs::read_dir(descriptors(proc, pid)).into_iter().flatten();
    let taken = range.end.min(MAX_DESCRIPTORS);
    let entries = entries.take(taken).skip(range.start).flatten();
    entries.map(move |entry| {
        let inode = socket_at(&entry.path())?;
        let descriptor = entry.file_name();
        Some((inode, Held { pid, descriptor }))
    })
}

fn descriptors(proc: &Path, pid: u32) -> PathBuf {
    proc.join(pid.to_string()).join("fd")
}

fn socket_at(place: &Path) -> Option<u64> {
    let target = fs::read_link(place).ok()?;
    socket_inode(target.to_str()?)
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
