//! The durable store as a model in memory: it keeps every promise of the boundary but the durable one, and fails on
//! demand, before or after having acted.
//!
//! **Invariant.** Passes the same contract suite as the SQLite store. A commit takes a moment of tokio's time, so that
//! what happens while one is under way can happen in tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::boundary::store::{
    Change, ImageRecord, InstanceStore, Loaded, MAX_EVENTS_PER_TASK, StoredEvent, TaskStore,
};
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::draining::Draining;
use crate::domain::ids::TaskArn;
use crate::domain::task::Task;

/// How long a commit takes.
const COMMIT_TIME: Duration = Duration::from_millis(1);

/// A store in memory; clones share what is in it.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Rows>>);

#[derive(Default)]
struct Rows {
    tasks: BTreeMap<TaskArn, Task>,
    images: BTreeMap<String, ImageRecord>,
    draining: Option<Draining>,
    events: Vec<StoredEvent>,
    failures: u32,
    lost_answers: u32,
    facts: BTreeMap<String, String>,
}

impl MemoryStore {
    /// The next `n` commits fail as on a full disk and change nothing; 0 ends that.
    pub fn fail_next(&self, n: u32) {
        self.rows().failures = n;
    }

    /// The next `n` commits that do not fail are done, but say that no answer came within the deadline.
    pub fn lose_next_answers(&self, n: u32) {
        self.rows().lost_answers = n;
    }

    /// The tasks there are.
    pub fn tasks(&self) -> Vec<Task> {
        self.rows().tasks.values().cloned().collect()
    }

    /// One task.
    pub fn task(&self, arn: &TaskArn) -> Option<Task> {
        self.rows().tasks.get(arn).cloned()
    }

    /// Every event there ever was, also those that a timeline has no room for any more.
    pub fn all_events(&self) -> Vec<StoredEvent> {
        self.rows().events.clone()
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl InstanceStore for MemoryStore {
    async fn facts(&self) -> Result<BTreeMap<String, String>, BoundaryError> {
        Ok(self.rows().facts.clone())
    }

    async fn keep(&self, facts: &[(&str, &str)]) -> Result<(), BoundaryError> {
        tokio::time::sleep(COMMIT_TIME).await;
        let mut rows = self.rows();
        if rows.failures > 0 {
            rows.failures -= 1;
            return Err(BoundaryError::new(
                "keep facts",
                ErrorKind::NoSpace,
                "the disk is full",
            ));
        }
        let facts = facts
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()));
        rows.facts.extend(facts);
        Ok(())
    }
}

#[async_trait]
impl TaskStore for MemoryStore {
    async fn load(&self) -> Result<Loaded, BoundaryError> {
        let rows = self.rows();
        Ok(Loaded {
            tasks: rows.tasks.values().cloned().collect(),
            images: rows.images.values().cloned().collect(),
            draining: rows.draining.clone(),
            damage: Vec::new(),
        })
    }

    async fn commit(&self, changes: &[Change]) -> Result<i64, BoundaryError> {
        tokio::time::sleep(COMMIT_TIME).await;
        let mut rows = self.rows();
        if let Some(left) = rows.failures.checked_sub(1) {
            rows.failures = left;
            let error = BoundaryError::new("commit", ErrorKind::NoSpace, "disk full");
            return Err(error);
        }
        let mut last = 0;
        for change in changes {
            last = rows.apply(change).unwrap_or(last);
        }
        if let Some(left) = rows.lost_answers.checked_sub(1) {
            rows.lost_answers = left;
            return Err(BoundaryError::deadline("commit", COMMIT_TIME));
        }
        Ok(last)
    }

    async fn events_after(
        &self,
        task: Option<&TaskArn>,
        sequence: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, BoundaryError> {
        let rows = self.rows();
        let mut events = rows.kept(MAX_EVENTS_PER_TASK);
        events.retain(|stored| {
            stored.sequence > sequence && task.is_none_or(|arn| *arn == stored.event.arn)
        });
        events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(events.into_iter().cloned().collect())
    }

    async fn events_gone_after(
        &self,
        task: Option<&TaskArn>,
        sequence: i64,
    ) -> Result<Option<i64>, BoundaryError> {
        let rows = self.rows();
        let kept = rows.kept(MAX_EVENTS_PER_TASK);
        let earlier = |stored: &&StoredEvent| {
            stored.sequence <= sequence && task.is_some_and(|arn| *arn == stored.event.arn)
        };
        if kept.iter().any(earlier) {
            return Ok(None);
        }
        let last = kept.last().map_or(0, |stored| stored.sequence);
        let after = kept.iter().filter(|stored| stored.sequence > sequence);
        let whole = last.checked_sub(sequence) == i64::try_from(after.count()).ok();
        let first = kept.first().map_or(0, |stored| stored.sequence);
        Ok((!whole).then_some(first))
    }

    async fn recent_events(&self, per_task: u32) -> Result<Vec<StoredEvent>, BoundaryError> {
        let rows = self.rows();
        let there = |stored: &&StoredEvent| rows.tasks.contains_key(&stored.event.arn);
        let events = rows.kept(per_task).into_iter().filter(there);
        Ok(events.cloned().collect())
    }

    async fn close(&self) {}
}

impl Rows {
    /// The sequence number if the change was an event.
    fn apply(&mut self, change: &Change) -> Option<i64> {
        match change {
            Change::Desired(desired) => {
                self.tasks
                    .entry(desired.arn.clone())
                    .and_modify(|task| task.desired = desired.clone())
                    .or_insert_with(|| Task::new(desired.clone()));
            }
            Change::Known(arn, known) => {
                if let Some(task) = self.tasks.get_mut(arn) {
                    task.known = known.clone();
                }
            }
            Change::Forget(arn) => {
                self.tasks.remove(arn);
            }
            Change::Image(image) => {
                self.images.insert(image.reference.clone(), image.clone());
            }
            Change::ForgetImage(reference) => {
                self.images.remove(reference);
            }
            Change::Draining(state) => self.draining.clone_from(state),
            Change::Event(event) => {
                let sequence = self.events.last().map_or(1, |last| last.sequence + 1);
                self.events.push(StoredEvent {
                    sequence,
                    event: event.clone(),
                });
                return Some(sequence);
            }
        }
        None
    }

    /// The last events of each task, at most so many each, oldest first.
    fn kept(&self, per_task: u32) -> Vec<&StoredEvent> {
        let mut held: BTreeMap<&TaskArn, u32> = BTreeMap::new();
        let mut kept: Vec<&StoredEvent> = self
            .events
            .iter()
            .rev()
            .filter(|stored| {
                let held = held.entry(&stored.event.arn).or_default();
                *held += 1;
                *held <= per_task
            })
            .collect();
        kept.reverse();
        kept
    }
}
