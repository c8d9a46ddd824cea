//! Network mode, links and published ports, and what moves to the holder of a shared network.
//!
//! Docker refuses host name, name servers, host entries, links and ports on a container that joins another one's
//! network (`container:` mode), so those fields are taken off it here and set on the holder.

use std::collections::BTreeSet;

use super::container::{SpecInputs, docker_name};
use crate::domain::definition::{ContainerDefinition, NetworkMode};
use crate::domain::host::OsType;
use crate::domain::ids::ContainerName;
use crate::domain::layout::{effective_network_mode, shared_network, shares_network};
use crate::domain::port_mapping::{ContainerPorts, PortMapping, PortReservation};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::spec::{NetworkChoice, PublishedPort};

/// The Docker network mode of a container of the definition.
///
/// # Errors
/// `awsvpc` that nobody said how to run.
pub(super) fn choose(
    inputs: &SpecInputs<'_>,
    container: &ContainerDefinition,
) -> Result<NetworkChoice, Reason> {
    let desired = &inputs.task.desired;
    if container.disable_networking {
        return Ok(NetworkChoice::None);
    }
    if shares_network(&desired.definition, &desired.options) {
        let holder = docker_name(inputs.task, &ContainerName::network_pause());
        return Ok(NetworkChoice::Container(holder));
    }
    match effective_network_mode(&desired.definition, &desired.options) {
        NetworkMode::Bridge if inputs.host.os_type == OsType::Windows => Ok(NetworkChoice::Nat),
        NetworkMode::Bridge => Ok(NetworkChoice::Bridge),
        NetworkMode::Host => Ok(NetworkChoice::Host),
        NetworkMode::None => Ok(NetworkChoice::None),
        NetworkMode::Awsvpc => Err(Reason::new(
            ReasonName::UnsupportedError,
            "networkMode awsvpc needs a network interface from ECS, which this host cannot attach",
        )),
    }
}

/// The definition without what the holder of the network has instead.
pub(super) fn without_shared(
    container: &ContainerDefinition,
    choice: &NetworkChoice,
) -> ContainerDefinition {
    let mut definition = container.clone();
    if joins(choice) {
        definition.hostname = None;
        definition.dns_servers.clear();
        definition.dns_search_domains.clear();
        definition.extra_hosts.clear();
        definition.links.clear();
        definition.port_mappings.clear();
    }
    definition
}

/// The holder's definition with what the containers ask for.
pub(super) fn with_shared(
    mut holder: ContainerDefinition,
    inputs: &SpecInputs<'_>,
) -> ContainerDefinition {
    let shared = shared_network(inputs.definition());
    holder.hostname = shared.hostname;
    holder.dns_servers = shared.dns_servers;
    holder.dns_search_domains = shared.dns_search_domains;
    holder.extra_hosts = shared.extra_hosts;
    holder
}

/// `links` with Docker names. Docker on Windows has none, and takes what is said of them for nothing.
///
/// # Errors
/// A link to a container that the task does not have.
pub(super) fn links(
    inputs: &SpecInputs<'_>,
    container: &ContainerDefinition,
    choice: &NetworkChoice,
) -> Result<Vec<(String, String)>, Reason> {
    if joins(choice) || inputs.host.os_type == OsType::Windows {
        return Ok(Vec::new());
    }
    container
        .links
        .iter()
        .map(
            |link| match inputs.definition().container(&link.container) {
                Some(_) => Ok((
                    docker_name(inputs.task, &link.container),
                    link.alias.clone(),
                )),
                None => Err(host_config(format!(
                    "Link target not available: {}",
                    link.container
                ))),
            },
        )
        .collect()
}

/// Ports that Docker publishes for this container itself: none unless it has a bridge network of its own.
///
/// # Errors
/// A range for which no host ports were reserved.
pub(super) fn published_ports(
    inputs: &SpecInputs<'_>,
    container: &ContainerDefinition,
    choice: &NetworkChoice,
) -> Result<Vec<PublishedPort>, Reason> {
    match choice {
        NetworkChoice::Bridge | NetworkChoice::Nat => ports_of(inputs, container),
        NetworkChoice::Host | NetworkChoice::None | NetworkChoice::Container(_) => Ok(Vec::new()),
    }
}

/// Ports of all containers, each once, for the holder of their network.
///
/// # Errors
/// A range for which no host ports were reserved.
pub(super) fn ports_of_all(inputs: &SpecInputs<'_>) -> Result<Vec<PublishedPort>, Reason> {
    let mut seen = BTreeSet::new();
    let mut ports = Vec::new();
    for container in &inputs.definition().containers {
        if container.disable_networking {
            continue;
        }
        for port in ports_of(inputs, container)? {
            if seen.insert((port.container_port, port.protocol, port.host_port)) {
                ports.push(port);
            }
        }
    }
    Ok(ports)
}

fn ports_of(
    inputs: &SpecInputs<'_>,
    container: &ContainerDefinition,
) -> Result<Vec<PublishedPort>, Reason> {
    let reservations: &[PortReservation] = inputs
        .known(&container.name)
        .map_or(&[], |known| known.reservations.as_slice());
    let mut ports = Vec::new();
    for (index, mapping) in container.port_mappings.iter().enumerate() {
        let reserved = reservations
            .iter()
            .find(|reservation| reservation.mapping == index);
        ports.extend(publish(mapping, reserved)?);
    }
    Ok(ports)
}

fn publish(
    mapping: &PortMapping,
    reserved: Option<&PortReservation>,
) -> Result<Vec<PublishedPort>, Reason> {
    let protocol = mapping.protocol;
    let (first, last) = match mapping.container {
        ContainerPorts::Single(port) => {
            return Ok(vec![PublishedPort {
                container_port: port,
                protocol,
                host_port: mapping.host_port,
            }]);
        }
        ContainerPorts::Range { first, last } => (first, last),
    };
    let count = mapping.container.count();
    let host_first = reserved
        .filter(|reservation| reservation.count >= count)
        .map(|reservation| reservation.first_host_port)
        .or(mapping.host_port)
        // The last port of the range must exist as well.
        .filter(|host| host.checked_add(count.saturating_sub(1)).is_some())
        .ok_or_else(|| {
            host_config(format!(
                "error retrieving docker port map: {count} contiguous host ports are unavailable"
            ))
        })?;
    Ok((first..=last)
        .zip(host_first..=u16::MAX)
        .map(|(container_port, host_port)| PublishedPort {
            container_port,
            protocol,
            host_port: Some(host_port),
        })
        .collect())
}

fn joins(choice: &NetworkChoice) -> bool {
    match choice {
        NetworkChoice::Container(_) => true,
        NetworkChoice::Bridge | NetworkChoice::Nat | NetworkChoice::Host | NetworkChoice::None => {
            false
        }
    }
}

fn host_config(message: String) -> Reason {
    Reason::new(ReasonName::HostConfigError, message)
}
