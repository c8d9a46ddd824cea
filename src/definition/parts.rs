//! The containers and volumes of a task, read with what each may know of the others.
//!
//! Containers whose names or images cannot be read still take part, under stand-ins no definition can hold, so that
//! the checks between them see the whole task. A definition with stand-ins never leaves this folder: there is an error
//! for each.

use std::cell::RefCell;

use super::context::{self, Context, Names};
use super::parse::MAX_CONTAINERS;
use super::reader::Cursor;
use super::validate::{self, Layout};
use super::{container, volumes as volume_sections};
use crate::domain::definition::{ContainerDefinition, NetworkMode, TaskDefinition};
use crate::domain::ids::Family;
use crate::domain::volume::Volume;

/// Reads a bare array of container definitions.
pub(super) fn read_containers_only(
    cursor: &Cursor<'_>,
    hint: Option<Family>,
) -> Option<TaskDefinition> {
    let containers = cursor.items();
    if containers.is_empty() {
        cursor.error("is an empty list, must hold at least one container definition");
        return None;
    }
    if hint.is_none() {
        cursor.error(
            "is a list of containers without a family: put it in a file named after the family",
        );
    }
    let parts = Parts::read(cursor, &containers, &[], &Surroundings::default())?;
    let definition = TaskDefinition::new(hint.or_else(stand_in_family)?, parts.containers);
    validate::check(&definition, &parts.layout, cursor.notes());
    Some(definition)
}

/// A family for a definition that is refused anyway.
pub(super) fn stand_in_family() -> Option<Family> {
    Family::parse("unnamed").ok()
}

/// Fields of the task that bear on its containers.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    pub(super) network_mode: NetworkMode,
    pub(super) gives_memory: bool,
}

/// Containers and volumes, and where each stands.
pub(super) struct Parts {
    pub(super) containers: Vec<ContainerDefinition>,
    pub(super) volumes: Vec<Volume>,
    pub(super) layout: Layout,
}

impl Parts {
    pub(super) fn read(
        cursor: &Cursor<'_>,
        containers: &[Cursor<'_>],
        volumes: &[Cursor<'_>],
        around: &Surroundings,
    ) -> Option<Self> {
        let notes = cursor.notes();
        if containers.len() > MAX_CONTAINERS {
            // The list they stand in; a list at the top has no name.
            let first = containers.first().map(|first| first.path.as_str());
            let list = first.and_then(|path| path.strip_suffix("[0]"));
            let count = containers.len();
            notes.error(
                list.unwrap_or(&cursor.path),
                format!("has {count} containers, the limit is {MAX_CONTAINERS}"),
            );
            return None;
        }
        let context = Context {
            network_mode: around.network_mode,
            task_gives_memory: around.gives_memory,
            containers: Names::of(containers, notes),
            volumes: Names::of(volumes, notes),
            with_health_check: context::with_health_check(containers, notes),
            taken_ports: RefCell::default(),
        };
        let mut parts = Self {
            containers: Vec::new(),
            volumes: Vec::new(),
            layout: Layout::new(cursor.path.clone()),
        };
        for item in volumes {
            if let Some(volume) = volume_sections::read_volume(item) {
                parts.volumes.push(volume);
                parts.layout.volumes.push(item.path.clone());
            }
        }
        for item in containers {
            if let Some(container) = container::read(item, &context) {
                parts.containers.push(container);
                parts.layout.containers.push(item.path.clone());
            }
        }
        parts.layout.taken_ports = context.taken_ports.into_inner();
        Some(parts)
    }
}
