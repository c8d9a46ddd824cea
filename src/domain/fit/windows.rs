//! Rules for hosts that run Windows containers (`windows.md` 10).

use super::finding::{Case, Findings, FitPolicy};
use super::logs::JOURNALD;
use crate::domain::credential_spec::{SpecError, parse};
use crate::domain::definition::{
    ContainerDefinition, IpcMode, LinuxParameters, NetworkMode, PidMode,
};
use crate::domain::host::OsType;
use crate::domain::volume::{VolumeScope, VolumeSource};
use crate::domain::windows_path::{self, Trouble};

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
        for (field, words) in refused(container) {
            findings.refused_as_docker(format!("{path}.{field}"), words);
        }
        reservation(*case.policy, &path, container, findings);
        for field in ignored(container) {
            findings.ignored(
                format!("{path}.{field}"),
                "has no effect on Windows containers",
            );
        }
        for field in left_to_docker(container) {
            findings.changed(
                format!("{path}.{field}"),
                "not supported by ECS on Windows: Docker is given it and may do something else with it",
            );
        }
        accounts(case, &path, container, findings);
        if container
            .memory_mib
            .is_some_and(|mib| (1..LEAST_MEMORY_MIB).contains(&mib))
        {
            findings.changed(
                format!("{path}.memory"),
                format!("raised to {LEAST_MEMORY_MIB} MiB, the least on Windows"),
            );
        }
    }
}

/// A reservation, which the engine on Windows refuses: left out where there is no limit beside it and the operator
/// wants that (`windows.md` 11.3).
fn reservation(
    policy: FitPolicy,
    path: &str,
    container: &ContainerDefinition,
    findings: &mut Findings,
) {
    const REFUSED: &str = "invalid option: Windows does not support MemoryReservation";
    const LEFT_OUT: &str = "left out: the container has no limit of memory \
                            (ECS_ENABLE_MEMORY_UNBOUNDED_WINDOWS_WORKAROUND)";
    if container.memory_reservation_mib.is_none() {
        return;
    }
    let path = format!("{path}.memoryReservation");
    let alone = container.memory_mib.is_none_or(|mib| mib == 0);
    if policy.memory_unbounded && alone {
        findings.changed(path, LEFT_OUT);
    } else {
        findings.refused_as_docker(path, REFUSED);
    }
}

/// Paths of mounts, and names of volumes that are Docker's own.
pub(super) fn paths(case: &Case<'_>, findings: &mut Findings) {
    if case.host.os_type != OsType::Windows {
        return;
    }
    for (index, volume) in case.definition.volumes.iter().enumerate() {
        match &volume.source {
            VolumeSource::HostPath(source) => {
                path(
                    format!("volumes[{index}].host.sourcePath"),
                    source,
                    findings,
                );
            }
            VolumeSource::Docker(docker) => {
                let shared = docker.scope != VolumeScope::Task;
                if shared && windows_path::is_device(volume.name.as_str()) {
                    findings.refused(
                        format!("volumes[{index}].name"),
                        "is the name of a device of Windows, which no volume can have",
                    );
                }
            }
            VolumeSource::Empty | VolumeSource::Aws(_) => {}
        }
    }
    for (at, container) in case.containers() {
        for (index, mount) in container.mount_points.iter().enumerate() {
            let field = format!("{at}.mountPoints[{index}].containerPath");
            path(field, &mount.container_path, findings);
        }
    }
}

fn path(field: String, path: &str, findings: &mut Findings) {
    match windows_path::trouble(path) {
        Some(Trouble::Impossible(words)) => findings.refused(field, words),
        Some(Trouble::Doubtful(words)) => findings.changed(field, words),
        None => {}
    }
}

/// The credential spec of a container: the first one, and of `dockerSecurityOptions` only where `credentialSpecs` is
/// empty. What else stands there is judged as everywhere.
fn accounts(case: &Case<'_>, path: &str, container: &ContainerDefinition, findings: &mut Findings) {
    let has_role = case.definition.execution_role_arn.is_some();
    let specs = container.credential_specs.iter().enumerate();
    let specs = specs.map(|(index, entry)| (format!("credentialSpecs[{index}]"), entry));
    let options = container.docker_security_options.iter().enumerate();
    let options = options
        .filter(|(_, entry)| parse(entry) != Err(SpecError::Prefix))
        .map(|(index, entry)| (format!("dockerSecurityOptions[{index}]"), entry));
    let mut all = specs.chain(options);
    if let Some((field, entry)) = all.next() {
        let wrong = match parse(entry) {
            Err(error) => Some(error.to_string()),
            Ok(spec) => spec.missing(has_role).map(|missing| {
                let option = spec.future_option(&container.name);
                format!("{missing}; Docker would be told {option}")
            }),
        };
        if let Some(words) = wrong {
            findings.refused(format!("{path}.{field}"), words);
        }
        for (other, _) in all {
            findings.ignored(
                format!("{path}.{other}"),
                format!("left out: a container has one credential spec, and {field} is before it"),
            );
        }
    }
}

/// Least limit that a container is given, in MiB.
const LEAST_MEMORY_MIB: u32 = 256;

/// What the engine on Windows refuses, in the words of the engine.
fn refused(container: &ContainerDefinition) -> impl Iterator<Item = (&'static str, &'static str)> {
    const PRIVILEGED: &str = "invalid --privileged: Windows does not support this feature";
    const READ_ONLY: &str = "invalid --read-only: Windows does not support this feature";
    const ULIMITS: &str = "invalid option: Windows does not support Ulimits";
    const SWAP: &str = "invalid option: Windows does not support MemorySwap";
    const SWAPPINESS: &str = "invalid option: Windows does not support MemorySwappiness";
    let linux = &container.linux_parameters;
    let journald = container
        .log_configuration
        .as_ref()
        .is_some_and(|log| log.driver == JOURNALD);
    [
        ("privileged", PRIVILEGED, container.privileged),
        (
            "readonlyRootFilesystem",
            READ_ONLY,
            container.readonly_root_filesystem,
        ),
        ("ulimits", ULIMITS, !container.ulimits.is_empty()),
        (
            "linuxParameters.maxSwap",
            SWAP,
            linux.max_swap_mib.is_some(),
        ),
        (
            "linuxParameters.swappiness",
            SWAPPINESS,
            linux.swappiness.is_some(),
        ),
        (
            "logConfiguration.logDriver",
            "logger: no log driver named 'journald' is registered",
            journald,
        ),
    ]
    .into_iter()
    .filter_map(|(field, words, used)| used.then_some((field, words)))
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

/// What the documentation of ECS leaves out on Windows, and Docker takes.
fn left_to_docker(container: &ContainerDefinition) -> impl Iterator<Item = &'static str> {
    used([
        ("disableNetworking", container.disable_networking),
        ("dnsServers", !container.dns_servers.is_empty()),
        ("dnsSearchDomains", !container.dns_search_domains.is_empty()),
        ("extraHosts", !container.extra_hosts.is_empty()),
        ("user", container.user.is_some()),
    ])
}

fn used<const N: usize>(fields: [(&'static str, bool); N]) -> impl Iterator<Item = &'static str> {
    fields
        .into_iter()
        .filter_map(|(field, used)| used.then_some(field))
}
