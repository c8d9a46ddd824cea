//! cgroup v1: one directory in each controller's own tree.

use std::path::{Path, PathBuf};

use super::tree::{CgroupError, Limits, Setting, Tree};
use crate::domain::ids::TaskId;

/// Parent of all tasks in each controller.
const PARENT: &str = "ecs";

/// Settings that a new cpuset needs before a process may be in it; the kernel leaves them empty.
const CPUSET_FILES: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

/// The parent exists in each controller that limits need.
pub(super) fn prepare(tree: &Tree) -> Result<(), CgroupError> {
    for controller in ["cpu", "memory"] {
        tree.make_dir(&Path::new(controller).join(PARENT))?;
    }
    count_children(tree)
}

pub(super) fn create(tree: &Tree, task: &TaskId, limits: Limits) -> Result<(), CgroupError> {
    prepare(tree)?;
    let set = |controller: &str, settings: &[Setting]| {
        let path = path(controller, task);
        tree.make_dir(&path)?;
        tree.set(&path, settings)
    };
    set("cpu", &cpu(limits))?;
    set("memory", &memory(limits))?;
    if tree.root.join("cpuset").is_dir() {
        for path in [Path::new("cpuset").join(PARENT), path("cpuset", task)] {
            tree.make_dir(&path)?;
            inherit_cpuset(tree, &path)?;
        }
    }
    if let Some(pids) = limits.pids {
        tree.make_dir(&Path::new("pids").join(PARENT))?;
        set("pids", &[("pids.max", pids.to_string())])?;
    }
    Ok(())
}

/// From every controller, since the container engine makes the task's directory in those that it uses itself.
pub(super) fn remove(tree: &Tree, task: &TaskId) -> Result<(), CgroupError> {
    let controllers = std::fs::read_dir(&tree.root).map_err(|source| CgroupError::Io {
        what: "list",
        path: tree.root.clone(),
        source,
    })?;
    for controller in controllers.flatten() {
        let name = controller.file_name();
        tree.remove_dir(&Path::new(&name).join(PARENT).join(task.as_str()))?;
    }
    Ok(())
}

fn path(controller: &str, task: &TaskId) -> PathBuf {
    Path::new(controller).join(PARENT).join(task.as_str())
}

/// The period comes first: the kernel checks a quota against it.
fn cpu(limits: Limits) -> Vec<Setting> {
    let quota = match limits.quota_micros() {
        Some(micros) => micros.to_string(),
        None => "-1".to_owned(),
    };
    vec![
        ("cpu.shares", limits.task.cpu_shares.to_string()),
        ("cpu.cfs_period_us", limits.period_micros().to_string()),
        ("cpu.cfs_quota_us", quota),
    ]
}

fn memory(limits: Limits) -> Vec<Setting> {
    let bytes = match limits.task.memory_bytes {
        Some(bytes) => bytes.to_string(),
        None => "-1".to_owned(),
    };
    vec![("memory.limit_in_bytes", bytes)]
}

/// Memory of children counts for the parent. Kernels since 5.11 do nothing else.
fn count_children(tree: &Tree) -> Result<(), CgroupError> {
    const FILE: &str = "memory.use_hierarchy";
    let parent = Path::new("memory").join(PARENT);
    match tree.get(&parent.join(FILE)) {
        Ok(value) if value == "0" => tree.set(&parent, &[(FILE, "1".to_owned())]),
        // It is on, or this kernel no longer has the switch.
        _ => Ok(()),
    }
}

fn inherit_cpuset(tree: &Tree, path: &Path) -> Result<(), CgroupError> {
    let parent = path.parent().unwrap_or(path);
    for file in CPUSET_FILES {
        if tree.get(&path.join(file))?.is_empty() {
            let value = tree.get(&parent.join(file))?;
            tree.set(path, &[(file, value)])?;
        }
    }
    Ok(())
}
