//! Rules for hosts that run Windows containers (`windows.md` 10).

use super::finding::{Case, Findings};
use crate::domain::definition::{
    ContainerDefinition, IpcMode, LinuxParameters, NetworkMode, PidMode,
};
use crate::domain::host::OsType;

pub(super) fn task(case: &Case<'_>, findings: &mut Findings) {
    if case.host.os_type != OsType::Windows {
        return;
    }
    let definition = case.definition;
    for (path, used) in [
        ("networkMode", case.network == NetworkMode::Host),
        ("pidMode", definition.pid_mode != PidMode::Private),
        ("ipcMode", definition.ipc_mode != IpcMode::Default),
    ] {
        if used {
            findings.refused(path, "Windows containers cannot share this namespace");
        }
    }
}

pub(super) fn containers(case: &Case<'_>, findings: &mut Findings) {
    if case.host.os_type != OsType::Windows {
        return;
    }
    for (path, container) in case.containers() {
        for field in refused(container) {
            findings.refused(
                format!("{path}.{field}"),
                "Docker for Windows containers refuses it",
            );
        }
        for field in ignored(container) {
            findings.ignored(
                format!("{path}.{field}"),
                "has no effect on Windows containers",
            );
        }
    }
}

fn refused(container: &ContainerDefinition) -> impl Iterator<Item = &'static str> {
    let linux = &container.linux_parameters;
    used([
        ("privileged", container.privileged),
        ("readonlyRootFilesystem", container.readonly_root_filesystem),
        ("ulimits", !container.ulimits.is_empty()),
        (
            "memoryReservation",
            container.memory_reservation_mib.is_some(),
        ),
        ("linuxParameters.maxSwap", linux.max_swap_mib.is_some()),
        ("linuxParameters.swappiness", linux.swappiness.is_some()),
    ])
}

fn ignored(container: &ContainerDefinition) -> impl Iterator<Item = &'static str> {
    let linux = LinuxParameters {
        max_swap_mib: None,
        swappiness: None,
        ..container.linux_parameters.clone()
    };
    used([
        ("systemControls", !container.system_controls.is_empty()),
        ("links", !container.links.is_empty()),
        ("linuxParameters", linux != LinuxParameters::default()),
    ])
}

fn used<const N: usize>(fields: [(&'static str, bool); N]) -> impl Iterator<Item = &'static str> {
    fields
        .into_iter()
        .filter_map(|(field, used)| used.then_some(field))
}
