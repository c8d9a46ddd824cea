//! The snapshot that everybody else reads.

use std::sync::Arc;

use crate::domain::ids::ContainerName;
use crate::domain::task::{ResourceKey, Step};

use super::action::Subject;
use super::entry::Entry;
use super::snapshot::{InFlight, Snapshot, TaskView};
use super::worker::Reconciler;

impl Reconciler {
    /// Publishes the state after a commit, and sets the pace of the full list.
    pub(super) fn publish(&mut self) {
        let tasks = self
            .entries
            .iter()
            .map(|(arn, entry)| (arn.clone(), Arc::new(view(entry))))
            .collect();
        let engine = Arc::new(self.view.clone());
        self.snapshot.store(Arc::new(Snapshot { tasks, engine }));
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
        let busy = !self.flights.is_empty() || self.entries.values().any(Entry::is_unsettled);
        let pace = if busy {
            self.deps.settings.relist_busy
        } else {
            self.deps.settings.relist_idle
        };
        self.pace.send_if_modified(|present| {
            let changes = *present != pace;
            *present = pace;
            changes
        });
    }
}

fn view(entry: &Entry) -> TaskView {
    let in_flight = entry
        .flights
        .iter()
        .map(|(subject, handle)| in_flight(subject, handle.flight.step, handle.flight.since));
    TaskView {
        task: entry.task.clone(),
        in_flight: in_flight.collect(),
        planned: entry.planned.clone(),
    }
}

fn in_flight(subject: &Subject, step: Step, since: crate::domain::ids::UnixMillis) -> InFlight {
    let container: Option<ContainerName> = match subject {
        Subject::Container(name) => Some(name.clone()),
        Subject::Resource(ResourceKey::Cgroup | ResourceKey::Volume(_)) => None,
    };
    InFlight {
        container,
        step,
        since,
        deadline: None,
        progress: None,
    }
}
