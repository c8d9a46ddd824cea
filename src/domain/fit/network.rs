//! Rules about networks, names and ports.
//!
//! Docker refuses links, host name, name servers, host entries and ports on a container that joins another one's
//! network; what moves to the holder instead is decided in `crate::domain::layout`.

use std::collections::BTreeSet;

use super::finding::{Case, Findings};
use crate::domain::definition::NetworkMode;
use crate::domain::demand::host_ports;
use crate::domain::host::OsType;
use crate::domain::layout::{shared_network, shares_network};
use crate::domain::port_mapping::ContainerPorts;

pub(super) fn awsvpc(case: &Case<'_>, findings: &mut Findings) {
    const PATH: &str = "networkMode";
    if case.definition.network_mode != NetworkMode::Awsvpc {
        return;
    }
    let on_windows = case.host.os_type == OsType::Windows;
    match case.network {
        NetworkMode::Awsvpc if on_windows => findings.refused(
            PATH,
            "awsvpc needs a network interface from ECS; a task of this host has the network of networkMode default, or \
             none",
        ),
        NetworkMode::Awsvpc => findings.refused(
            PATH,
            "awsvpc needs a network interface from ECS; run it with --network-as bridge",
        ),
        NetworkMode::Bridge if on_windows => findings.refused(
            PATH,
            "awsvpc cannot be run as bridge on Windows: the pause container that would hold the network is a program \
             of Linux; write networkMode default",
        ),
        NetworkMode::Bridge => findings.changed(
            PATH,
            "awsvpc is run as bridge: the containers share one network namespace, held by a pause container, and \
             ports are published on this host",
        ),
        NetworkMode::Host => findings.changed(
            PATH,
            "awsvpc is run as host: the containers share this host's network",
        ),
        NetworkMode::None => findings.changed(
            PATH,
            "awsvpc is run as none: the containers have no network",
        ),
    }
}

pub(super) fn links(case: &Case<'_>, findings: &mut Findings) {
    for (path, _) in case.containers().filter(|(_, c)| !c.links.is_empty()) {
        let path = format!("{path}.links");
        match case.network {
            NetworkMode::Bridge if shares_network(case.definition, case.options) => findings
                .ignored(
                    path,
                    "the containers share one network and reach each other on 127.0.0.1",
                ),
            NetworkMode::Bridge => {}
            NetworkMode::Host | NetworkMode::None | NetworkMode::Awsvpc => {
                findings.refused(path, "Docker links containers on the bridge network only");
            }
        }
    }
}

pub(super) fn host_names(case: &Case<'_>, findings: &mut Findings) {
    if !shares_network(case.definition, case.options) {
        return;
    }
    let shared = shared_network(case.definition).hostname;
    for (path, container) in case.containers() {
        let path = format!("{path}.hostname");
        if container.hostname.is_none() || container.disable_networking {
            continue;
        }
        match &shared {
            Some(_) => {
                findings.changed(path, "becomes the host name of all containers of the task");
            }
            None => findings.ignored(
                path,
                "the containers share one host name and ask for different ones",
            ),
        }
    }
}

pub(super) fn name_resolution(case: &Case<'_>, findings: &mut Findings) {
    if !shares_network(case.definition, case.options) {
        return;
    }
    for (path, container) in case.containers() {
        if container.disable_networking {
            continue;
        }
        for (field, used) in [
            ("dnsServers", !container.dns_servers.is_empty()),
            ("dnsSearchDomains", !container.dns_search_domains.is_empty()),
            ("extraHosts", !container.extra_hosts.is_empty()),
        ] {
            if used {
                findings.changed(
                    format!("{path}.{field}"),
                    "holds for all containers of the task, since they share one network",
                );
            }
        }
    }
}

pub(super) fn port_mappings(case: &Case<'_>, findings: &mut Findings) {
    for (path, container) in case.containers() {
        for (index, mapping) in container.port_mappings.iter().enumerate() {
            let path = format!("{path}.portMappings[{index}]");
            if container.disable_networking {
                findings.ignored(path, "the container has no network (disableNetworking)");
                continue;
            }
            let moved = match (mapping.container, mapping.host_port) {
                (ContainerPorts::Single(port), Some(host)) => port != host,
                (ContainerPorts::Range { first, .. }, Some(host)) => first != host,
                (ContainerPorts::Single(_) | ContainerPorts::Range { .. }, None) => false,
            };
            match case.network {
                NetworkMode::None => {
                    findings.refused(path, "a task without network cannot publish ports");
                }
                NetworkMode::Host if moved => findings.ignored(
                    format!("{path}.hostPort"),
                    format!(
                        "on the host's network the container's own port {} counts",
                        mapping.container.first()
                    ),
                ),
                NetworkMode::Host | NetworkMode::Bridge | NetworkMode::Awsvpc => {}
            }
        }
    }
}

pub(super) fn reserved_ports(case: &Case<'_>, findings: &mut Findings) {
    for wanted in host_ports(case.definition, case.options) {
        if case
            .host
            .reserved_ports
            .contains(&(wanted.port, wanted.protocol))
        {
            findings.refused(
                format!(
                    "containerDefinitions[{}].portMappings[{}]",
                    wanted.container, wanted.mapping
                ),
                format!(
                    "port {}/{} of this host is reserved for {}",
                    wanted.port,
                    wanted.protocol,
                    case.host.reserved_for(wanted.port, wanted.protocol)
                ),
            );
        }
    }
}

pub(super) fn ports_wanted_twice(case: &Case<'_>, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for wanted in host_ports(case.definition, case.options) {
        if !seen.insert((wanted.port, wanted.protocol)) {
            findings.refused(
                format!(
                    "containerDefinitions[{}].portMappings[{}]",
                    wanted.container, wanted.mapping
                ),
                format!(
                    "port {}/{} of this host is wanted twice by this task",
                    wanted.port, wanted.protocol
                ),
            );
        }
    }
}
