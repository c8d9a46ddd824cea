//! Where a container's cgroup lies.
//!
//! The container engine puts it below its own parent, or below the task's cgroup that it was told to use, and calls it
//! by the container's id. Where it is in neither place (an engine with a parent of its own, or one that runs in a
//! container itself) the whole tree is searched, now and then and within limits.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
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
    search_where(root, ids, |_| true)
}

/// The same of those directories that count.
fn search_where(
    root: &Path,
    ids: &[&DockerId],
    counts: impl Fn(&Path) -> bool,
) -> BTreeMap<DockerId, PathBuf> {
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
                Some(&id) if counts(&entry.path()) => {
                    found.insert(id.clone(), below);
                }
                None if depth < MAX_DEPTH => open.push((below, depth + 1)),
                Some(_) | None => {}
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

/// The directory of a container's cgroup, wherever it is: of those that bear its id one that belongs to whom the tree
/// does, since a user with cgroups of their own names them as they like. Goes through the whole tree: some 30 ms where
/// there are 1,000 containers.
///
/// # Errors
/// If no tree is mounted there.
pub(in crate::platform::linux) fn find(
    cgroup_root: &Path,
    target: &UsageTarget,
) -> io::Result<Option<PathBuf>> {
    let mut roots = roots(cgroup_root).into_iter();
    let root = roots.next().ok_or(io::ErrorKind::Unsupported)?;
    let owner = |place: &Path| fs::metadata(place).ok().map(|found| found.uid());
    let of_tree = owner(&root);
    let mut found = search_where(&root, &[&target.id], |place| owner(place) == of_tree);
    Ok(found.remove(&target.id).map(|place| root.join(place)))
}

/// How `/proc/<pid>/cgroup` names the tree that this directory is in, empty for v2, and where it is in it.
pub(in crate::platform::linux) fn in_tree<'a>(
    cgroup_root: &Path,
    directory: &'a Path,
) -> Option<(&'a str, &'a Path)> {
    let below = directory.strip_prefix(cgroup_root).ok()?;
    if v2::is_mounted(cgroup_root) {
        return Some(("", below));
    }
    let tree = below.iter().next()?.to_str()?;
    // A tree of several controllers is named after all of them, in any order.
    let controller = tree.split(',').next()?;
    Some((controller, below.strip_prefix(tree).ok()?))
}
