//! Which cgroups tasks can have here: tried once, before the first task.

use super::tree::{CgroupError, Tree};
use super::{systemd, v1, v2};
use crate::domain::host::CgroupSupport;

/// Finds what fits the container engine's `version` (`1`, `2`) and `driver` (`cgroupfs`, `systemd`, `none`), and makes
/// the parent of all tasks as a proof that it works.
///
/// With v1 and the systemd driver there is nothing: the engine takes slices only, and those are v2's.
///
/// # Errors
/// It should work but does not.
pub(in crate::platform::linux) fn prepare(
    tree: &Tree,
    (version, driver): (&str, &str),
    pids: Option<u32>,
) -> Result<CgroupSupport, CgroupError> {
    match (version, driver) {
        ("1", "cgroupfs") => v1::prepare(tree).map(|()| CgroupSupport::V1),
        ("2", "cgroupfs") if v2::has_controllers(tree) => {
            v2::prepare(tree, "ecs", pids).map(|()| CgroupSupport::V2Cgroupfs)
        }
        ("2", "systemd") if v2::has_controllers(tree) => {
            v2::prepare(tree, systemd::PARENT, pids).map(|()| CgroupSupport::V2Systemd)
        }
        _ => Ok(CgroupSupport::None),
    }
}
