//! What a task asks of the host: CPU, memory, host ports and GPUs (reference agent: host resource accounting).
//!
//! Not here: whether the host has it to give (`crate::reconcile::plan::admission`, `crate::domain::fit`).

use std::collections::BTreeSet;

use super::definition::{NetworkMode, TaskDefinition};
use super::host::ResourceDemand;
use super::layout::effective_network_mode;
use super::port_mapping::{ContainerPorts, PortMapping, Protocol};
use super::task::TaskOptions;

/// A host port that is known before Docker is asked, and who wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Index in `containerDefinitions`.
    pub container: usize,
    /// Index in `portMappings`.
    pub mapping: usize,
    /// The port.
    pub port: u16,
    /// Its transport.
    pub protocol: Protocol,
}

impl ResourceDemand {
    /// What the definition asks for as a whole: the task's own limits, else the sum over its containers. Ports that
    /// Docker or the agent chooses are not part of it.
    pub fn of(definition: &TaskDefinition, options: &TaskOptions) -> Self {
        let containers = &definition.containers;
        let cpu_units = definition.cpu_units.unwrap_or_else(|| {
            containers
                .iter()
                .fold(0, |sum, c| sum.saturating_add(c.cpu_units))
        });
        let memory_mib = definition.memory_mib.unwrap_or_else(|| {
            containers.iter().fold(0, |sum, c| {
                sum.saturating_add(c.memory_reservation_mib.or(c.memory_mib).unwrap_or(0))
            })
        });
        Self {
            cpu_units,
            memory_mib,
            ports: host_ports(definition, options)
                .into_iter()
                .map(|wanted| (wanted.port, wanted.protocol))
                .collect(),
            gpus: containers
                .iter()
                .flat_map(|container| container.gpu_ids.iter().cloned())
                .collect(),
        }
    }
}

/// Host ports that are known before Docker is asked, in the order of the definition.
pub fn host_ports(definition: &TaskDefinition, options: &TaskOptions) -> Vec<HostPort> {
    let mode = effective_network_mode(definition, options);
    let mut ports = Vec::new();
    for (container, wants) in definition.containers.iter().enumerate() {
        if wants.disable_networking {
            continue;
        }
        for (index, mapping) in wants.port_mappings.iter().enumerate() {
            ports.extend(ports_of(mode, mapping).into_iter().map(|port| HostPort {
                container,
                mapping: index,
                port,
                protocol: mapping.protocol,
            }));
        }
    }
    ports
}

/// In host mode a container's own ports are the host's; otherwise only a given `hostPort` is certain.
fn ports_of(mode: NetworkMode, mapping: &PortMapping) -> BTreeSet<u16> {
    let count = mapping.container.count();
    let first = match (mode, mapping.container) {
        (NetworkMode::Host, ContainerPorts::Single(port)) => Some(port),
        (NetworkMode::Host, ContainerPorts::Range { first, .. }) => Some(first),
        (NetworkMode::Bridge, _) => mapping.host_port,
        (NetworkMode::None | NetworkMode::Awsvpc, _) => None,
    };
    first.map_or_else(BTreeSet::new, |first| {
        (first..=first.saturating_add(count.saturating_sub(1))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample;

    fn demand(definition: &TaskDefinition, network_as: Option<NetworkMode>) -> ResourceDemand {
        let options = TaskOptions {
            network_as,
            ..TaskOptions::default()
        };
        ResourceDemand::of(definition, &options)
    }

    #[test]
    fn containers_add_up_unless_the_task_says_otherwise() {
        let mut definition = sample::definition(&["a", "b", "c"]);
        definition.containers[0].cpu_units = 128;
        definition.containers[0].memory_mib = Some(256);
        definition.containers[0].memory_reservation_mib = Some(64);
        definition.containers[1].cpu_units = 10;
        definition.containers[1].memory_mib = Some(100);
        let sum = demand(&definition, None);
        assert_eq!((sum.cpu_units, sum.memory_mib), (138, 164));
        definition.cpu_units = Some(512);
        definition.memory_mib = Some(1024);
        let own = demand(&definition, None);
        assert_eq!((own.cpu_units, own.memory_mib), (512, 1024));
    }

    #[test]
    fn gpus_of_all_containers_count() {
        let mut definition = sample::definition(&["a", "b"]);
        definition.containers[0].gpu_ids = vec!["GPU-2".to_owned()];
        definition.containers[1].gpu_ids = vec!["GPU-1".to_owned()];
        let gpus = demand(&definition, None).gpus;
        assert_eq!(
            gpus,
            BTreeSet::from(["GPU-1".to_owned(), "GPU-2".to_owned()])
        );
    }

    #[test]
    fn only_ports_that_are_certain_count() {
        let mut definition = sample::definition(&["a", "silent"]);
        definition.containers[0].port_mappings = vec![
            sample::port(80, Some(8080)),
            sample::port(81, None),
            PortMapping {
                container: ContainerPorts::Range {
                    first: 100,
                    last: 101,
                },
                ..sample::port(1, None)
            },
        ];
        definition.containers[1].port_mappings = vec![sample::port(90, Some(90))];
        definition.containers[1].disable_networking = true;
        for (mode, network_as, expected) in [
            (NetworkMode::Bridge, None, vec![8080]),
            (NetworkMode::Host, None, vec![80, 81, 100, 101]),
            (NetworkMode::None, None, vec![]),
            (NetworkMode::Awsvpc, None, vec![]),
            (NetworkMode::Awsvpc, Some(NetworkMode::Bridge), vec![8080]),
            (
                NetworkMode::Awsvpc,
                Some(NetworkMode::Host),
                vec![80, 81, 100, 101],
            ),
        ] {
            definition.network_mode = mode;
            let ports: Vec<u16> = demand(&definition, network_as)
                .ports
                .into_iter()
                .map(|(port, _)| port)
                .collect();
            assert_eq!(ports, expected, "{mode:?} as {network_as:?}");
        }
    }
}
