//! CPU and memory of a container and of its task (`engine.md` 1.3, 4.2; users' finding A34).

use super::container::SpecInputs;
use crate::boundary::host::CgroupLimits;
use crate::domain::definition::{ContainerDefinition, TaskDefinition};
use crate::domain::host::{CgroupSupport, HostFacts, OsType};
use crate::domain::layout::wants_cgroup;
use crate::domain::names::task_cgroup;
use crate::reconcile::settings::EngineSettings;

/// Least memory limit in MiB on Linux; lower ones are raised (reference agent).
const LINUX_LEAST_MEMORY_MIB: u32 = 4;

/// Least memory limit in MiB on Windows (reference agent).
const WINDOWS_LEAST_MEMORY_MIB: u32 = 256;

/// Least CPU shares that the Linux kernel takes.
const LEAST_CPU_SHARES: u32 = 2;

/// Most CPU shares that the Linux kernel takes.
const MOST_CPU_SHARES: u32 = 262_144;

/// The cgroups that limits of a task as a whole use: the host's, unless they are switched off.
pub fn enforced_cgroups(host: &HostFacts, settings: &EngineSettings) -> CgroupSupport {
    if settings.task_limits {
        host.cgroups
    } else {
        CgroupSupport::None
    }
}

/// Limits of the task's own cgroup.
pub fn cgroup_limits(definition: &TaskDefinition) -> CgroupLimits {
    let shares = definition
        .containers
        .iter()
        .map(|container| container.cpu_units.max(LEAST_CPU_SHARES))
        .fold(0_u32, u32::saturating_add)
        .clamp(LEAST_CPU_SHARES, MOST_CPU_SHARES);
    CgroupLimits {
        // 1024 units are one CPU, which is 1000 thousandths.
        cpu_millis: definition
            .cpu_units
            .map(|units| u64::from(units).saturating_mul(1000) / 1024),
        cpu_shares: u64::from(shares),
        memory_bytes: definition
            .memory_mib
            .map(|mib| u64::from(mib).saturating_mul(1024 * 1024)),
    }
}

pub(super) fn cgroup_parent(inputs: &SpecInputs<'_>) -> Option<String> {
    let cgroups = enforced_cgroups(inputs.host, inputs.settings);
    if wants_cgroup(inputs.definition(), cgroups) {
        task_cgroup(inputs.task.arn().task_id(), cgroups)
    } else {
        None
    }
}

/// Hard limit of the container. With cgroup v2 the kernel kills inside a container only if that has a limit of its
/// own, which is what `propagate_task_memory` gives.
pub(super) fn memory_mib(inputs: &SpecInputs<'_>, container: &ContainerDefinition) -> Option<u32> {
    let least = match inputs.host.os_type {
        OsType::Linux => LINUX_LEAST_MEMORY_MIB,
        OsType::Windows => WINDOWS_LEAST_MEMORY_MIB,
    };
    let own = container.memory_mib.filter(|mib| *mib > 0);
    let of_task = || match enforced_cgroups(inputs.host, inputs.settings) {
        CgroupSupport::V2Systemd | CgroupSupport::V2Cgroupfs
            if inputs.settings.propagate_task_memory =>
        {
            inputs.definition().memory_mib.filter(|mib| *mib > 0)
        }
        CgroupSupport::V1
        | CgroupSupport::V2Systemd
        | CgroupSupport::V2Cgroupfs
        | CgroupSupport::None => None,
    };
    own.or_else(of_task).map(|mib| mib.max(least))
}

/// Shares relative to other containers. Windows has a measure of its own.
pub(super) fn cpu_shares(inputs: &SpecInputs<'_>, container: &ContainerDefinition) -> u32 {
    match inputs.host.os_type {
        OsType::Linux => container.cpu_units.clamp(LEAST_CPU_SHARES, MOST_CPU_SHARES),
        OsType::Windows => 0,
    }
}

/// Percent of the whole host that a container of Windows may have (`windows.md` 11.2): at least one, also where nothing
/// is asked for unless that is set to mean no limit.
pub(super) fn cpu_percent(inputs: &SpecInputs<'_>, container: &ContainerDefinition) -> Option<u32> {
    if inputs.host.os_type != OsType::Windows {
        return None;
    }
    if inputs.settings.cpu_unbounded && container.cpu_units == 0 {
        return None;
    }
    let host = u64::from(inputs.host.cpu_units.max(1));
    let units = u64::from(container.cpu_units.max(LEAST_CPU_SHARES));
    let percent = units.saturating_mul(100) / host;
    Some(u32::try_from(percent).unwrap_or(u32::MAX).max(1))
}

/// The definition without a reservation where that is set to mean no limit (`windows.md` 11.3): Docker on Windows
/// knows none.
pub(super) fn without_reservation(
    inputs: &SpecInputs<'_>,
    mut definition: ContainerDefinition,
) -> ContainerDefinition {
    let alone = definition.memory_mib.is_none_or(|mib| mib == 0);
    if inputs.host.os_type == OsType::Windows && inputs.settings.memory_unbounded && alone {
        definition.memory_reservation_mib = None;
    }
    definition
}
