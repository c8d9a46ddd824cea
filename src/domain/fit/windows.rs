//! Rules for hosts that run Windows containers (`windows.md` 10).

use super::finding::{Case, Findings};
use crate::domain::credential_spec::{SpecError, parse};
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
        for (field, words) in refused(container) {
            findings.refused(format!("{path}.{field}"), words);
        }
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
        accounts(&path, container, findings);
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

/// Credential specs of both places; others of `dockerSecurityOptions` are judged as everywhere.
fn accounts(path: &str, container: &ContainerDefinition, findings: &mut Findings) {
    let specs = container.credential_specs.iter().enumerate();
    let specs = specs.map(|(index, entry)| (format!("credentialSpecs[{index}]"), entry));
    let options = container.docker_security_options.iter().enumerate();
    let options = options
        .filter(|(_, entry)| parse(entry) != Err(SpecError::Prefix))
        .map(|(index, entry)| (format!("dockerSecurityOptions[{index}]"), entry));
    for (field, entry) in specs.chain(options) {
        let words = match parse(entry) {
            Err(error) => error.to_string(),
            Ok(spec) if spec.security_option().is_none() => {
                "only files that need no rewriting are supported yet".to_owned()
            }
            Ok(_) => continue,
        };
        findings.refused(format!("{path}.{field}"), words);
    }
}

/// Least limit that a container is given, in MiB.
const LEAST_MEMORY_MIB: u32 = 256;

/// What the engine on Windows refuses, in the words of the engine.
fn refused(container: &ContainerDefinition) -> impl Iterator<Item = (&'static str, &'static str)> {
    const PRIVILEGED: &str = "invalid --privileged: Windows does not support this feature";
    const READ_ONLY: &str = "invalid --read-only: Windows does not support this feature";
    const ULIMITS: &str = "invalid option: Windows does not support Ulimits";
    const RESERVATION: &str = "invalid option: Windows does not support MemoryReservation";
    const SWAP: &str = "invalid option: Windows does not support MemorySwap";
    const SWAPPINESS: &str = "invalid option: Windows does not support MemorySwappiness";
    let linux = &container.linux_parameters;
    let reservation = container.memory_reservation_mib.is_some();
    let journald = container
        .log_configuration
        .as_ref()
        .is_some_and(|log| log.driver == "journald");
    [
        ("privileged", PRIVILEGED, container.privileged),
        (
            "readonlyRootFilesystem",
            READ_ONLY,
            container.readonly_root_filesystem,
        ),
        ("ulimits", ULIMITS, !container.ulimits.is_empty()),
        ("memoryReservation", RESERVATION, reservation),
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
            "Docker on Windows has no journald",
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
