//! Host ports for `containerPortRange`: chosen and committed before Docker hears of them.
//!
//! A choice belongs to the container that asks for the ports, also where the holder of a shared network publishes
//! them; so the holder's creation chooses for all.

use crate::domain::definition::NetworkMode;
use crate::domain::host::HostFacts;
use crate::domain::ids::ContainerName;
use crate::domain::layout::{
    ContainerKind, LayoutContainer, effective_network_mode, shares_network,
};
use crate::domain::port_mapping::{ContainerPorts, PortReservation};
use crate::domain::reason::{Reason, ReasonName};

use super::Planner;
use super::admission::choose_ports;

impl Planner<'_, '_> {
    /// Whether every range that the container publishes has host ports; ends it if none are to be had.
    pub(super) fn reserve_ports(&mut self, container: &LayoutContainer, host: &HostFacts) -> bool {
        let mut taken = self.input.taken_ports.clone();
        let mut after = self.input.last_port;
        for (owner, index, count, protocol) in self.unreserved_ranges(container) {
            let Some(first) = choose_ports(count, protocol, host, &taken, after) else {
                let message = format!("{count} contiguous host ports are unavailable");
                let reason = Reason::new(ReasonName::CannotCreateContainerError, message);
                self.draft
                    .stop_container(&container.name, None, Some(reason));
                return false;
            };
            after = first.saturating_add(count.saturating_sub(1));
            taken.extend((first..=after).map(|port| (port, protocol)));
            self.draft
                .container(&owner)
                .reservations
                .push(PortReservation {
                    mapping: index,
                    first_host_port: first,
                    count,
                    protocol,
                });
        }
        true
    }

    /// Ranges without host ports: whose, which mapping, how long, over what.
    fn unreserved_ranges(
        &self,
        container: &LayoutContainer,
    ) -> Vec<(
        ContainerName,
        usize,
        u16,
        crate::domain::port_mapping::Protocol,
    )> {
        let desired = self.draft.desired;
        let (definition, options) = (&desired.definition, &desired.options);
        let shared = shares_network(definition, options);
        let bridge = effective_network_mode(definition, options) == NetworkMode::Bridge;
        let owners = definition
            .containers
            .iter()
            .enumerate()
            .filter(|(at, found)| {
                let own = match container.kind {
                    ContainerKind::Application(index) => index == *at && !shared,
                    ContainerKind::NetworkPause => true,
                    ContainerKind::NamespacePause => false,
                };
                own && bridge && !found.disable_networking
            });
        let mut ranges = Vec::new();
        for (_, found) in owners {
            let known = self.draft.known.containers.get(&found.name);
            for (index, mapping) in found.port_mappings.iter().enumerate() {
                let chosen = known
                    .is_some_and(|known| known.reservations.iter().any(|r| r.mapping == index));
                let range = matches!(mapping.container, ContainerPorts::Range { .. });
                if range && mapping.host_port.is_none() && !chosen {
                    let count = mapping.container.count();
                    ranges.push((found.name.clone(), index, count, mapping.protocol));
                }
            }
        }
        ranges
    }
}
