//! Rules about CPU, memory and swap: what the host has at all, and which limits it can enforce.

use super::finding::{Case, Findings};
use crate::domain::host::{CgroupSupport, OsType, ResourceDemand};

/// Docker Engine on Linux accepts no memory limit under this, in MiB (20.10 and newer).
const DOCKER_SMALLEST_MEMORY_MIB: u32 = 6;

pub(super) fn memory(case: &Case<'_>, findings: &mut Findings) {
    let has = case.host.memory_mib;
    let mut refuse = |path: String, wanted: u32| {
        if wanted > has {
            findings.refused(
                path,
                format!("wants {wanted} MiB of memory, this host has {has} MiB for tasks"),
            );
        }
    };
    for (path, container) in case.containers() {
        refuse(format!("{path}.memory"), container.memory_mib.unwrap_or(0));
        refuse(
            format!("{path}.memoryReservation"),
            container.memory_reservation_mib.unwrap_or(0),
        );
    }
    match case.definition.memory_mib {
        Some(wanted) => refuse("memory".to_owned(), wanted),
        None if case.definition.containers.len() > 1 => refuse(
            "containerDefinitions".to_owned(),
            ResourceDemand::of(case.definition, case.options).memory_mib,
        ),
        None => {}
    }
}

pub(super) fn cpu(case: &Case<'_>, findings: &mut Findings) {
    let has = case.host.cpu_units;
    let mut refuse = |path: String, wanted: u32| {
        if wanted > has {
            findings.refused(
                path,
                format!("wants {wanted} CPU units, this host has {has} (1024 a core)"),
            );
        }
    };
    for (path, container) in case.containers() {
        refuse(format!("{path}.cpu"), container.cpu_units);
    }
    match case.definition.cpu_units {
        Some(wanted) => refuse("cpu".to_owned(), wanted),
        None if case.definition.containers.len() > 1 => refuse(
            "containerDefinitions".to_owned(),
            ResourceDemand::of(case.definition, case.options).cpu_units,
        ),
        None => {}
    }
}

pub(super) fn smallest_memory(case: &Case<'_>, findings: &mut Findings) {
    if case.host.os_type != OsType::Linux {
        return;
    }
    for (path, container) in case.containers() {
        for (field, value) in [
            ("memory", container.memory_mib),
            ("memoryReservation", container.memory_reservation_mib),
        ] {
            if value.is_some_and(|mib| (1..DOCKER_SMALLEST_MEMORY_MIB).contains(&mib)) {
                findings.refused(
                    format!("{path}.{field}"),
                    format!("Docker accepts no less than {DOCKER_SMALLEST_MEMORY_MIB} MiB"),
                );
            }
        }
    }
}

pub(super) fn task_limits(case: &Case<'_>, findings: &mut Findings) {
    let why = if case.host.cgroups == CgroupSupport::None {
        "this host cannot limit a task as a whole"
    } else if !case.policy.task_limits {
        "limits of a task as a whole are switched off on this host"
    } else {
        return;
    };
    for (path, used) in [
        ("cpu", case.definition.cpu_units.is_some()),
        ("memory", case.definition.memory_mib.is_some()),
    ] {
        if used {
            findings.ignored(
                path,
                format!("{why}; it only counts when the host's resources are shared out"),
            );
        }
    }
}

pub(super) fn swap(case: &Case<'_>, findings: &mut Findings) {
    // The engine there refuses it, which `windows` says.
    if case.host.os_type == OsType::Windows {
        return;
    }
    let on_v2 = matches!(
        case.host.cgroups,
        CgroupSupport::V2Systemd | CgroupSupport::V2Cgroupfs
    );
    for (path, container) in case.containers() {
        let parameters = &container.linux_parameters;
        if parameters.max_swap_mib.is_some() && !case.host.swap_limit {
            findings.ignored(
                format!("{path}.linuxParameters.maxSwap"),
                "the kernel of this host cannot limit swap",
            );
        }
        if parameters.swappiness.is_some() && (on_v2 || !case.host.swap_limit) {
            findings.ignored(
                format!("{path}.linuxParameters.swappiness"),
                "the kernel of this host has no swappiness for containers",
            );
        }
    }
}
