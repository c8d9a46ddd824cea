//! What must hold between the parts of a task, once each part is read.
//!
//! References to names that are not there are reported by the sections (see `context`); here are duplicates, sums,
//! clashes and cycles. Everything here is a rule: stored definitions are not held to it.

use std::collections::BTreeMap;

use super::context::TakenPorts;
use super::finding::Notes;
use super::reader::join;
use crate::domain::definition::{ContainerDefinition, TaskDefinition};
use crate::domain::depends_on::{self, OrderError};
use crate::domain::ids::ContainerName;

/// Where the parts stand in the document, in the order of the definition's lists.
#[derive(Debug, Default)]
pub(super) struct Layout {
    task: String,
    pub(super) containers: Vec<String>,
    pub(super) volumes: Vec<String>,
    pub(super) taken_ports: Vec<TakenPorts>,
}

impl Layout {
    pub(super) fn new(task: String) -> Self {
        Self {
            task,
            ..Self::default()
        }
    }

    /// The layout of a definition in its register form. Ports are not taken anew.
    pub(super) fn of(definition: &TaskDefinition) -> Self {
        let paths =
            |name: &str, count: usize| (0..count).map(|index| format!("{name}[{index}]")).collect();
        Self {
            task: String::new(),
            containers: paths("containerDefinitions", definition.containers.len()),
            volumes: paths("volumes", definition.volumes.len()),
            taken_ports: Vec::new(),
        }
    }

    fn task_field(&self, name: &str) -> String {
        join(&self.task, name)
    }
}

/// Complains about everything that does not fit together.
pub(super) fn check(definition: &TaskDefinition, layout: &Layout, notes: &Notes) {
    if !notes.checks_rules() {
        return;
    }
    let containers: Vec<Placed<'_>> = layout
        .containers
        .iter()
        .zip(&definition.containers)
        .map(|(path, container)| Placed { path, container })
        .collect();
    let container_names = containers
        .iter()
        .filter(|placed| !placed.container.name.as_str().starts_with('~'))
        .map(|placed| (placed.path, placed.container.name.as_str()));
    check_unique(container_names, notes);
    let volume_names = layout
        .volumes
        .iter()
        .zip(&definition.volumes)
        .map(|(path, volume)| (path.as_str(), volume.name.as_str()));
    check_unique(volume_names, notes);
    check_essential(&containers, layout, notes);
    for placed in &containers {
        check_memory(placed, definition.memory_mib, notes);
    }
    check_sums(definition, layout, notes);
    check_cycle(definition, &containers, notes);
    check_ports(&layout.taken_ports, notes);
}

struct Placed<'a> {
    path: &'a str,
    container: &'a ContainerDefinition,
}

fn check_unique<'a>(names: impl Iterator<Item = (&'a str, &'a str)>, notes: &Notes) {
    let mut seen = BTreeMap::new();
    for (path, name) in names {
        if let Some(first) = seen.insert(name, path) {
            notes.rule(
                &join(path, "name"),
                format!("{name} is the name of {first} too"),
            );
        }
    }
}

fn check_essential(containers: &[Placed<'_>], layout: &Layout, notes: &Notes) {
    let none_essential = containers.iter().all(|placed| !placed.container.essential);
    if !containers.is_empty() && none_essential {
        notes.rule(
            &layout.task_field("containerDefinitions"),
            "no container is essential: leave essential out, or true, in at least one",
        );
    }
}

fn check_memory(placed: &Placed<'_>, task_memory_mib: Option<u32>, notes: &Notes) {
    let container = placed.container;
    if let (Some(hard), Some(soft)) = (container.memory_mib, container.memory_reservation_mib)
        && hard < soft
    {
        notes.rule(
            &join(placed.path, "memoryReservation"),
            format!("must be at most memory ({hard}), is {soft}"),
        );
    }
    if let (Some(hard), Some(task)) = (container.memory_mib, task_memory_mib)
        && hard > task
    {
        notes.rule(
            &join(placed.path, "memory"),
            format!("must be at most the task's memory ({task}), is {hard}"),
        );
    }
}

fn check_sums(definition: &TaskDefinition, layout: &Layout, notes: &Notes) {
    let sum = |of: fn(&ContainerDefinition) -> u32| -> u64 {
        definition
            .containers
            .iter()
            .map(|container| u64::from(of(container)))
            .sum()
    };
    let reserved = sum(|container| {
        container
            .memory_reservation_mib
            .or(container.memory_mib)
            .unwrap_or_default()
    });
    if let Some(task) = definition.memory_mib
        && reserved > u64::from(task)
    {
        notes.rule(
            &layout.task_field("memory"),
            format!("is {task}, less than its containers reserve together ({reserved})"),
        );
    }
    let cpu = sum(|container| container.cpu_units);
    if let Some(task) = definition.cpu_units
        && cpu > u64::from(task)
    {
        notes.warn(
            &layout.task_field("cpu"),
            format!("is {task}, less than its containers ask for together ({cpu})"),
        );
    }
}

/// Missing names and missing health checks were reported where they stand; only cycles are left to name.
fn check_cycle(definition: &TaskDefinition, containers: &[Placed<'_>], notes: &Notes) {
    for error in depends_on::check_order(definition) {
        let OrderError::Cycle(names) = &error else {
            continue;
        };
        let at = |name: &ContainerName| {
            containers
                .iter()
                .find(|placed| placed.container.name == *name)
                .map(|placed| placed.path)
        };
        let path = names.first().and_then(at).unwrap_or_default();
        notes.rule(&join(path, "dependsOn"), error.to_string());
    }
}

/// Two mappings that want the same port: sorted by port, a clash is with the furthest-reaching one before.
fn check_ports(taken: &[TakenPorts], notes: &Notes) {
    let mut order: Vec<(usize, &TakenPorts)> = taken.iter().enumerate().collect();
    order.sort_by_key(|(index, ports)| (ports.protocol, ports.first, *index));
    let mut widest: Option<(usize, &TakenPorts)> = None;
    for (index, ports) in order {
        if let Some((other_index, other)) = widest.filter(|(_, w)| w.protocol == ports.protocol) {
            if ports.first <= other.last {
                let (first, second) = if index < other_index {
                    (ports, other)
                } else {
                    (other, ports)
                };
                notes.rule(
                    &second.path,
                    format!(
                        "wants port {}/{}, which {} takes",
                        ports.first, ports.protocol, first.path
                    ),
                );
            }
            if ports.last <= other.last {
                continue;
            }
        }
        widest = Some((index, ports));
    }
}
