//! The snapshot that everybody else reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::boundary::images::{PullState, PullView};
use crate::domain::ids::ContainerName;
use crate::domain::runtime::PullProgress;
use crate::domain::task::{ResourceKey, Step};

use super::action::Subject;
use super::entry::Entry;
use super::snapshot::{InFlight, Snapshot, TaskView};
use super::worker::Reconciler;

impl Reconciler {
    /// Publishes the state after a commit, and sets the pace of the full list.
    pub(super) fn publish(&mut self) {
        let pulls = self.deps.images.progress();
        let tasks = self
            .entries
            .iter()
            .map(|(arn, entry)| (arn.clone(), Arc::new(view(entry, &pulls))))
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

fn view(entry: &Entry, pulls: &BTreeMap<String, PullView>) -> TaskView {
    let in_flight = entry.flights.iter().map(|(subject, handle)| {
        let container: Option<ContainerName> = match subject {
            Subject::Container(name) => Some(name.clone()),
            Subject::Resource(ResourceKey::Cgroup | ResourceKey::Volume(_)) => None,
        };
        let pulling = container
            .as_ref()
            .filter(|_| handle.flight.step == Step::Pull);
        let progress = pulling.and_then(|name| progress_of(entry, name, pulls));
        InFlight {
            container,
            step: handle.flight.step,
            since: handle.flight.since,
            deadline: None,
            progress,
        }
    });
    TaskView {
        task: entry.task.clone(),
        in_flight: in_flight.collect(),
        planned: entry.planned.clone(),
        timeline: Arc::clone(&entry.timeline),
    }
}

fn progress_of(
    entry: &Entry,
    name: &ContainerName,
    pulls: &BTreeMap<String, PullView>,
) -> Option<PullProgress> {
    let image = &entry.task.desired.definition.container(name)?.image;
    match pulls.get(&image.normalized())?.state {
        PullState::Pulling { progress, .. } => Some(progress),
        PullState::Checking | PullState::Resolving | PullState::Waiting { .. } => None,
    }
}
