//! Where a container's cgroup lies.
//!
//! The container engine puts it below its own parent, or below the task's cgroup that it was told to use, and calls it
//! by the container's id. Where it is in neither place (an engine with a parent of its own, or one that runs in a
//! container itself) the whole tree is searched, now and then and within limits.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{v1, v2};
use crate::boundary::usage::UsageTarget;
use crate::domain::ids::DockerId;

/// Directories that one search looks into: a host with 1,000 containers has some 3,000.
const MAX_DIRECTORIES: usize = 10_000;

/// Levels that one search goes down.
const MAX_DEPTH: usize = 8;

/// Places below a controller's root, in the order of likelihood: both drivers, with and without a task's cgroup.
fn candidates(target: &UsageTarget) -> [PathBuf; 5] {
    let (id, task) = (target.id.as_str(), target.task.as_str());
    let scope = format!("docker-{id}.scope");
    [
        ["ecs", task, id].iter().collect(),
        ["docker", id].iter().collect(),
        ["ecstasks.slice", &format!("ecstasks-{task}.slice"), &scope]
            .iter()
            .collect(),
        ["system.slice", &scope].iter().collect(),
        ["machine.slice", &format!("libpod-{id}.scope")]
            .iter()
            .collect(),
    ]
}

/// The place that exists below `root`.
pub(super) fn likely(root: &Path, target: &UsageTarget) -> Option<PathBuf> {
    let mut candidates = candidates(target).into_iter();
    candidates.find(|place| root.join(place).is_dir())
}

/// Every directory below `root` whose name holds one of the ids, relative to it.
pub(super) fn search(root: &Path, ids: &[&DockerId]) -> BTreeMap<DockerId, PathBuf> {
    let mut found = BTreeMap::new();
    let mut open = vec![(PathBuf::new(), 0)];
    let mut looked_at = 0;
    while let Some((place, depth)) = open.pop() {
        let Ok(entries) = fs::read_dir(root.join(&place)) else {
            continue;
        };
        for entry in entries.flatten() {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !is_dir || looked_at >= MAX_DIRECTORIES {
                continue;
            }
            looked_at += 1;
            let name = entry.file_name();
            let below = place.join(&name);
            let name = name.to_string_lossy();
            match ids.iter().find(|id| name.contains(id.as_str())) {
                Some(&id) => {
                    found.insert(id.clone(), below);
                }
                None if depth < MAX_DEPTH => open.push((below, depth + 1)),
                None => {}
            }
        }
        if found.len() == ids.len() {
            break;
        }
    }
    found
}

/// Trees below `cgroup_root` that show which containers there are; empty where none is mounted.
fn roots(cgroup_root: &Path) -> Vec<PathBuf> {
    if v2::is_mounted(cgroup_root) {
        return vec![cgroup_root.to_owned()];
    }
    let roots = v1::SEARCHED.iter().map(|name| cgroup_root.join(name));
    roots.filter(|root| root.is_dir()).collect()
}

/// The directory of a container's cgroup, if it is where it is likely to be.
pub(in crate::platform::linux) fn directory(
    cgroup_root: &Path,
    target: &UsageTarget,
) -> Option<PathBuf> {
    let mut roots = roots(cgroup_root).into_iter();
    roots.find_map(|root| Some(root.join(likely(&root, target)?)))
}

/// The directory of a container's cgroup, wherever it is. Goes through the whole tree: some 30 ms where there are
/// 1,000 containers.
///
/// # Errors
/// If no tree is mounted there.
pub(in crate::platform::linux) fn find(
    cgroup_root: &Path,
    target: &UsageTarget,
) -> io::Result<Option<PathBuf>> {
    let mut roots = roots(cgroup_root).into_iter();
    let root = roots.next().ok_or(io::ErrorKind::Unsupported)?;
    let mut found = search(&root, &[&target.id]);
    Ok(found.remove(&target.id).map(|place| root.join(place)))
}
