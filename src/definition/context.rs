//! What a section needs to know of the rest of the task: the names it may refer to, and the ports already taken.
//!
//! Names are collected from the tree before any section is read, so that a reference to a name that is not there is
//! reported where it stands.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::finding::Notes;
use super::reader::{Cursor, quote};
use super::suggest;
use crate::domain::definition::NetworkMode;
use crate::domain::port_mapping::Protocol;

/// Names of one kind in the task.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeSet<String>,
    /// Some name could not be read, so that an unknown reference may be to it.
    incomplete: bool,
}

impl Names {
    /// Takes the `name` of each item, unjudged: the section that owns it judges.
    pub(super) fn of(items: &[Cursor<'_>], notes: &Notes) -> Self {
        let quiet = notes.quiet_twin();
        let mut names = Self::default();
        for item in items {
            match name_of(item.value, &quiet) {
                Some(name) => {
                    names.known.insert(name);
                }
                None => names.incomplete = true,
            }
        }
        names
    }

    /// Whether the task has it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.known.contains(name)
    }

    /// Complains if `name` is not among them. `what` is `container` or `volume`.
    pub(super) fn check(&self, cursor: &Cursor<'_>, name: &str, what: &str) {
        if self.incomplete || self.known.contains(name) || cursor.notes().is_full() {
            return;
        }
        let advice = match suggest::nearest(name, self.known.iter().map(String::as_str)) {
            Some(near) => format!(": did you mean {near}?"),
            None if self.known.is_empty() => format!(": it has no {what}s"),
            None => String::new(),
        };
        cursor.rule(format!("the task has no {what} {}{advice}", quote(name)));
    }
}

/// The name of a container or volume, placeholders filled.
fn name_of(item: &Value, quiet: &Notes) -> Option<String> {
    let name = ["name", "Name"].iter().find_map(|key| item.get(key))?;
    Cursor::new(name, String::new(), quiet).text()
}

/// Names of the containers that bring a health check of their own.
pub(super) fn with_health_check(items: &[Cursor<'_>], notes: &Notes) -> BTreeSet<String> {
    let quiet = notes.quiet_twin();
    items
        .iter()
        .filter(|item| {
            ["healthCheck", "HealthCheck"]
                .iter()
                .any(|key| item.value.get(key).is_some_and(Value::is_object))
        })
        .filter_map(|item| name_of(item.value, &quiet))
        .collect()
}

/// A span of ports that one mapping takes in the task's shared port space.
#[derive(Clone, Debug)]
pub(super) struct TakenPorts {
    pub(super) protocol: Protocol,
    pub(super) first: u16,
    pub(super) last: u16,
    /// The field that took them.
    pub(super) path: String,
}

/// The rest of the task, for a container's sections.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) network_mode: NetworkMode,
    /// The task has a `memory`, readable or not.
    pub(super) task_gives_memory: bool,
    pub(super) containers: Names,
    pub(super) volumes: Names,
    /// Containers that have a `healthCheck`.
    pub(super) with_health_check: BTreeSet<String>,
    pub(super) taken_ports: RefCell<Vec<TakenPorts>>,
}
