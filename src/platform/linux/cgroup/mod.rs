//! One cgroup a task, so that its limits hold for all of its containers together (`engine.md` 4.2).
//!
//! ```text
//! v1, cgroupfs    <root>/<controller>/ecs/<taskid>                    in cpu, memory, cpuset, pids
//! v2, cgroupfs    <root>/ecs/<taskid>
//! v2, systemd     <root>/ecstasks.slice/ecstasks-<taskid>.slice       made known to systemd as well
//! ```
//!
//! **Invariants.** Making a cgroup that is there sets its limits anew; removing one that is not there succeeds. A cgroup
//! that a process is in is never removed: the kernel refuses.

mod tree;

mod v1;

mod v2;

mod systemd;

mod probe;

pub(super) use probe::prepare;
pub(super) use systemd::Systemd;
pub(super) use tree::{CgroupError, Limits, Tree};

use crate::domain::host::CgroupSupport;
use crate::domain::ids::TaskId;

impl Tree {
    /// The task's cgroup exists with these limits.
    pub(super) fn create(
        &self,
        support: CgroupSupport,
        task: &TaskId,
        limits: Limits,
    ) -> Result<(), CgroupError> {
        match support {
            CgroupSupport::V1 => v1::create(self, task, limits),
            CgroupSupport::V2Cgroupfs => v2::create(self, &v2::cgroupfs_path(task), limits),
            CgroupSupport::V2Systemd => v2::create(self, &systemd::slice_path(task), limits),
            CgroupSupport::None => Err(CgroupError::Unsupported),
        }
    }

    /// The task's cgroup is gone.
    pub(super) fn remove(&self, support: CgroupSupport, task: &TaskId) -> Result<(), CgroupError> {
        match support {
            CgroupSupport::V1 => v1::remove(self, task),
            CgroupSupport::V2Cgroupfs => self.remove_dir(&v2::cgroupfs_path(task).join()),
            CgroupSupport::V2Systemd => self.remove_dir(&systemd::slice_path(task).join()),
            CgroupSupport::None => Ok(()),
        }
    }
}
