//! cgroup v2: one tree; a controller works where all cgroups above have it turned on.

use std::path::{Path, PathBuf};

use super::tree::{CgroupError, Limits, Setting, Tree};
use crate::domain::ids::TaskId;

/// Controllers that limits need.
const NEEDED: [&str; 2] = ["cpu", "memory"];

/// CPU shares and weights of the kernel: the ends of both scales.
const SHARES: (u64, u64) = (2, 262_144);
const WEIGHTS: (u64, u64) = (1, 10_000);

/// Where a task's cgroup lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TaskPath {
    /// Parent of all tasks.
    pub(super) parent: &'static str,
    /// Name below it.
    pub(super) name: String,
}

impl TaskPath {
    pub(super) fn join(&self) -> PathBuf {
        Path::new(self.parent).join(&self.name)
    }
}

/// Without systemd: `/ecs/<taskid>`.
pub(super) fn cgroupfs_path(task: &TaskId) -> TaskPath {
    TaskPath {
        parent: "ecs",
        name: task.to_string(),
    }
}

/// The parent exists and passes its controllers on.
pub(super) fn prepare(tree: &Tree, parent: &str, pids: Option<u32>) -> Result<(), CgroupError> {
    enable(tree, Path::new(""), pids)?;
    tree.make_dir(Path::new(parent))?;
    enable(tree, Path::new(parent), pids)
}

pub(super) fn create(tree: &Tree, path: &TaskPath, limits: Limits) -> Result<(), CgroupError> {
    prepare(tree, path.parent, limits.pids)?;
    let dir = path.join();
    tree.make_dir(&dir)?;
    enable(tree, &dir, limits.pids)?;
    tree.set(&dir, &settings(limits))
}

/// Turns the controllers on for the children of a cgroup and looks whether they are.
fn enable(tree: &Tree, dir: &Path, pids: Option<u32>) -> Result<(), CgroupError> {
    const FILE: &str = "cgroup.subtree_control";
    let wanted: Vec<&'static str> = NEEDED.into_iter().chain(pids.map(|_| "pids")).collect();
    let switches: Vec<String> = wanted.iter().map(|name| format!("+{name}")).collect();
    tree.set(dir, &[(FILE, switches.join(" "))])?;
    let on = tree.get(&dir.join(FILE))?;
    let is_on = |name: &str| {
        on.split_ascii_whitespace()
            .any(|word| word.trim_start_matches('+') == name)
    };
    match wanted.into_iter().find(|name| !is_on(name)) {
        Some(controller) => Err(CgroupError::NoController {
            path: tree.root.join(dir),
            controller,
        }),
        None => Ok(()),
    }
}

/// Whether the root has what limits need.
pub(super) fn has_controllers(tree: &Tree) -> bool {
    let controllers = tree
        .get(Path::new("cgroup.controllers"))
        .unwrap_or_default();
    let has = |name: &str| {
        controllers
            .split_ascii_whitespace()
            .any(|word| word == name)
    };
    NEEDED.into_iter().all(has)
}

pub(super) fn settings(limits: Limits) -> Vec<Setting> {
    let or_max = |limit: Option<u64>| limit.map_or("max".to_owned(), |limit| limit.to_string());
    let period = limits.period_micros();
    let mut settings = vec![
        ("cpu.weight", weight(limits.task.cpu_shares).to_string()),
        (
            "cpu.max",
            format!("{} {period}", or_max(limits.quota_micros())),
        ),
        ("memory.max", or_max(limits.task.memory_bytes)),
    ];
    settings.extend(limits.pids.map(|pids| ("pids.max", pids.to_string())));
    settings
}

/// The place of the shares on the scale of weights: 2 is 1 and 262144 is 10000.
pub(super) fn weight(shares: u64) -> u64 {
    let (low, high) = SHARES;
    let (light, heavy) = WEIGHTS;
    let place = shares.clamp(low, high).saturating_sub(low);
    let scaled = place.saturating_mul(heavy.saturating_sub(light)) / high.saturating_sub(low);
    light.saturating_add(scaled)
}
