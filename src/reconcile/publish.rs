//! The snapshot that everybody else reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::boundary::images::{PullState, PullView};
use crate::domain::ids::{ContainerName, TaskArn};
use crate::domain::runtime::PullProgress;
use crate::domain::task::{ResourceKey, Step};

use super::action::Subject;
use super::entry::Entry;
use super::snapshot::{InFlight, Snapshot, TaskView};
use super::worker::Reconciler;

impl Reconciler {
    /// Publishes the state after a commit, and sets the pace of the full list.
    pub(super) fn publish(&mut self) {
        let tasks = self.show_touched();
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

    /// What was shown last, with what may have changed since. A pull goes on without a change of its task.
    fn show_touched(&mut self) -> BTreeMap<TaskArn, Arc<TaskView>> {
        let pulls = self.deps.images.progress();
        let mut tasks = self.snapshot.load().tasks.clone();
        let mut touched = self.entries.take_touched();
        let pulling = self.entries.iter().filter(|(_, entry)| entry.is_pulling());
        touched.extend(pulling.map(|(arn, _)| arn.clone()));
        for arn in touched {
            match self.entries.get(&arn) {
                Some(entry) => drop(tasks.insert(arn, Arc::new(view(entry, &pulls)))),
                None => drop(tasks.remove(&arn)),
            }
        }
        debug_assert!(self.is_shown(&tasks), "a task has changed unseen");
        tasks
    }

    /// Whether that is what there is.
    fn is_shown(&self, tasks: &BTreeMap<TaskArn, Arc<TaskView>>) -> bool {
        let same = |entry: &Entry, shown: &TaskView| {
            shown.task == entry.task
                && shown.planned == entry.planned
                && shown.in_flight.len() == entry.flights.len()
                && Arc::ptr_eq(&shown.timeline, &entry.timeline)
        };
        let mut both = self.entries.iter().zip(tasks);
        self.entries.len() == tasks.len()
            && both.all(|((key, entry), (arn, shown))| key == arn && same(entry, shown))
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
