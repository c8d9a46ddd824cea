//! Definitions that a seed decides.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

use crate::domain::definition::{ContainerDefinition, HealthCheck, RestartPolicy, TaskDefinition};
use crate::domain::depends_on::{Condition, Dependency};
use crate::domain::ids::VolumeName;
use crate::domain::port_mapping::{ContainerPorts, PortMapping, Protocol};
use crate::domain::volume::{MountPoint, Volume, VolumeSource};

use super::agent::{ROLE, SERVE, STUBBORN, shell, task};

/// Host ports that definitions ask for: few, so that tasks meet.
const STATIC_PORTS: std::ops::Range<u16> = 8000..8003;

/// A task of one to three containers, each of which may wait for the one before.
pub(super) fn definition(rng: &mut StdRng) -> TaskDefinition {
    let count = rng.random_range(1..4);
    let mut containers: Vec<ContainerDefinition> = Vec::new();
    for index in 0..count {
        let next = container(rng, index, containers.last());
        containers.push(next);
    }
    let mut definition = task(containers);
    if definition.containers.len() > 1 {
        definition.task_role_arn = Some(ROLE.to_owned());
    }
    if rng.random_bool(0.2) {
        definition.cpu_units = Some(rng.random_range(1..900));
    }
    if rng.random_bool(0.3)
        && let Ok(name) = VolumeName::parse("scratch")
    {
        definition.volumes.push(Volume {
            name: name.clone(),
            source: VolumeSource::Empty,
        });
        if let Some(first) = definition.containers.first_mut() {
            let container_path = "/scratch".to_owned();
            first.mount_points.push(MountPoint {
                source_volume: name,
                container_path,
                read_only: false,
            });
        }
    }
    definition
}

fn container(
    rng: &mut StdRng,
    index: u32,
    before: Option<&ContainerDefinition>,
) -> ContainerDefinition {
    let image = if rng.random_bool(0.05) {
        "missing"
    } else {
        "image"
    };
    let mut container = shell(&format!("c{index}"), image, &command(rng));
    container.essential = index == 0 || rng.random_bool(0.5);
    container.stop_timeout = Some(Duration::from_secs(rng.random_range(2..8)));
    if rng.random_bool(0.3) {
        container.health_check = Some(health_check());
    }
    if rng.random_bool(0.3) {
        container.restart_policy = Some(RestartPolicy {
            ignored_exit_codes: vec![0],
            restart_attempt_period: Duration::from_mins(1),
        });
    }
    if rng.random_bool(0.2) {
        container.port_mappings.push(port(rng));
    }
    if let Some(before) = before.filter(|_| rng.random_bool(0.5)) {
        container.depends_on.push(Dependency {
            container: before.name.clone(),
            condition: condition(rng, before),
        });
        if rng.random_bool(0.3) {
            container.start_timeout = Some(Duration::from_secs(rng.random_range(5..60)));
        }
    }
    container
}

fn command(rng: &mut StdRng) -> String {
    match rng.random_range(0..6) {
        0..3 => SERVE.to_owned(),
        3 => STUBBORN.to_owned(),
        4 => format!("exit {}", rng.random_range(0..3)),
        _ => {
            let (secs, code) = (rng.random_range(1..90), rng.random_range(0..3));
            format!("sleep {secs}; exit {code}")
        }
    }
}

fn condition(rng: &mut StdRng, before: &ContainerDefinition) -> Condition {
    match rng.random_range(0..4) {
        0 => Condition::Complete,
        1 => Condition::Success,
        2 if before.health_check.is_some() => Condition::Healthy,
        _ => Condition::Start,
    }
}

/// A port that the definition names, one that Docker chooses, or a range that the agent chooses.
fn port(rng: &mut StdRng) -> PortMapping {
    let (container, host_port) = match rng.random_range(0..3) {
        0 => (
            ContainerPorts::Single(80),
            Some(rng.random_range(STATIC_PORTS)),
        ),
        1 => (ContainerPorts::Single(80), None),
        _ => {
            let last = rng.random_range(9000..9004);
            (ContainerPorts::Range { first: 9000, last }, None)
        }
    };
    PortMapping {
        container,
        host_port,
        protocol: Protocol::Tcp,
        name: None,
        app_protocol: None,
    }
}

fn health_check() -> HealthCheck {
    HealthCheck {
        command: vec!["CMD-SHELL".to_owned(), "true".to_owned()],
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        retries: 2,
        start_period: Duration::ZERO,
    }
}
