//! Published ports as ECS wants them: one entry a port, or one a range.

use std::collections::BTreeSet;

use super::change::{NetworkBinding, PortsReported};
use crate::domain::definition::{ContainerDefinition, NetworkMode};
use crate::domain::port_mapping::{ContainerPorts, PortBinding, PortMapping};
use crate::domain::task::KnownContainer;

/// Most entries of a container that has a range; with more it is not submitted (reference agent).
const MAX_WITH_RANGE: usize = 100;

/// Which addresses are not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// `::` (`ECS_EXCLUDE_IPV6_PORTBINDING`).
    pub ipv6: bool,
    /// `0.0.0.0`, on hosts that have no IPv4.
    pub ipv4: bool,
}

/// The container has more bindings than ECS takes together with a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// The bindings of a container, in order.
///
/// # Errors
/// [`TooMany`]: the change cannot be submitted.
pub fn network_bindings(
    mode: NetworkMode,
    definition: &ContainerDefinition,
    known: &KnownContainer,
    excluded: Excluded,
) -> Result<Vec<NetworkBinding>, TooMany> {
    if matches!(
        mode,
        NetworkMode::Host | NetworkMode::Awsvpc | NetworkMode::None
    ) {
        return Ok(Vec::new());
    }
    let shown = |binding: &&PortBinding| match binding.bind_ip.as_str() {
        "::" => !excluded.ipv6,
        "0.0.0.0" => !excluded.ipv4,
        _ => true,
    };
    let ranges: Vec<&PortMapping> = definition
        .port_mappings
        .iter()
        .filter(|mapping| matches!(mapping.container, ContainerPorts::Range { .. }))
        .collect();
    let entries: BTreeSet<NetworkBinding> = known
        .bindings
        .iter()
        .filter(shown)
        .filter_map(|binding| entry(binding, &ranges))
        .collect();
    if !ranges.is_empty() && entries.len() > MAX_WITH_RANGE {
        return Err(TooMany);
    }
    Ok(entries.into_iter().collect())
}

/// The entry of a binding: its own, or that of the range whose first port it is; inside a range it has none.
fn entry(binding: &PortBinding, ranges: &[&PortMapping]) -> Option<NetworkBinding> {
    let port = binding.container_port;
    let range = ranges.iter().find(|mapping| {
        let first = mapping.container.first();
        let inside = port
            .checked_sub(first)
            .is_some_and(|offset| offset < mapping.container.count());
        inside && mapping.protocol == binding.protocol
    });
    let ports = match range {
        None => PortsReported::One(port, binding.host_port),
        Some(mapping) if mapping.container.first() == port => {
            let more = mapping.container.count().saturating_sub(1);
            let text = |first: u16| format!("{first}-{}", first.saturating_add(more));
            PortsReported::Range(text(port), text(binding.host_port))
        }
        Some(_) => return None,
    };
    Some(NetworkBinding {
        bind_ip: binding.bind_ip.clone(),
        ports,
        protocol: binding.protocol.as_str(),
    })
}
