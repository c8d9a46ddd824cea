//! All tasks in the worker's memory, and which of them are to be shown anew.
//!
//! **Invariant.** Whatever may have changed since it was shown last is shown with the next snapshot: nobody gets hold of a
//! task to change it but here. So a turn that is about one task of thousands copies that task.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use crate::domain::ids::TaskArn;

use super::entry::Entry;

/// Tasks by key; reading them is reading the map.
#[derive(Debug, Default)]
pub(super) struct Entries {
    tasks: BTreeMap<TaskArn, Entry>,
    touched: BTreeSet<TaskArn>,
}

impl Deref for Entries {
    type Target = BTreeMap<TaskArn, Entry>;

    fn deref(&self) -> &Self::Target {
        &self.tasks
    }
}

impl Entries {
    /// The task, to be changed.
    pub(super) fn get_mut(&mut self, arn: &TaskArn) -> Option<&mut Entry> {
        let entry = self.tasks.get_mut(arn)?;
        self.touched.insert(arn.clone());
        Some(entry)
    }

    /// Each task, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&TaskArn, &mut Entry)> {
        self.touched.extend(self.tasks.keys().cloned());
        self.tasks.iter_mut()
    }

    /// A task that is new, or instead of the one of that key.
    pub(super) fn insert(&mut self, arn: TaskArn, entry: Entry) {
        self.touched.insert(arn.clone());
        self.tasks.insert(arn, entry);
    }

    /// Nothing is left of it.
    pub(super) fn remove(&mut self, arn: &TaskArn) {
        self.touched.insert(arn.clone());
        self.tasks.remove(arn);
    }

    /// Which have come, gone or may have changed since this was asked last.
    pub(super) fn take_touched(&mut self) -> BTreeSet<TaskArn> {
        std::mem::take(&mut self.touched)
    }
}
