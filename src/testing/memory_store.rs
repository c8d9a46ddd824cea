//! The durable store as a model in memory: it keeps every promise of the boundary but to outlive this program, fails on
//! demand, before or after having acted, and loses on demand what power loss may take.
//!
//! **Invariant.** Passes the same contract suite as the SQLite store. A commit takes a moment of tokio's time, so that
//! what happens while one is under way can happen in tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::boundary::store::{
    Change, ImageRecord, InstanceStore, Loaded, MAX_EVENTS_PER_TASK, StoredEvent, TaskStore,
};
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::draining::Draining;
use crate::domain::ids::TaskArn;
use crate::domain::task::Task;

/// How long a commit may not be flushed.
const FLUSH_TIME: Duration = Duration::from_secs(1);

/// How long a commit takes.
const COMMIT_TIME: Duration = Duration::from_millis(1);

/// A store in memory; clones share what is in it.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    rows: Rows,
    /// What power loss leaves, where that is less, and when that is over.
    flushed: Option<(Rows, Until)>,
    failures: u32,
    lost_answers: u32,
    /// Reads of what this host is that go well until then, and how many fail after them.
    failing_reads: Option<(u32, u32)>,
}

/// When what is not flushed will have been, by the component that flushes.
#[derive(Clone, Copy)]
enum Until {
    At(Instant),
    /// It has died with the agent.
    Never,
}

impl Until {
    fn is_over(self) -> bool {
        matches!(self, Self::At(instant) if instant <= Instant::now())
    }
}

#[derive(Clone, Default)]
struct Rows {
    tasks: BTreeMap<TaskArn, Task>,
    images: BTreeMap<String, ImageRecord>,
    draining: Option<Draining>,
    events: Vec<StoredEvent>,
    facts: BTreeMap<String, String>,
}

impl MemoryStore {
    /// The next `n` commits fail as on a full disk and change nothing; 0 ends that.
    pub fn fail_next(&self, n: u32) {
        self.inner().failures = n;
    }

    /// The next `n` commits that do not fail are done, but say that no answer came within the deadline.
    pub fn lose_next_answers(&self, n: u32) {
        self.inner().lost_answers = n;
    }

    /// What this host is can be read `good` times, then `bad` times not, and then again.
    pub fn fail_reads(&self, good: u32, bad: u32) {
        self.inner().failing_reads = Some((good, bad));
    }

    /// Whether all reads that shall fail have.
    pub fn reads_have_failed(&self) -> bool {
        self.inner().failing_reads.is_none()
    }

    /// The tasks there are.
    pub fn tasks(&self) -> Vec<Task> {
        self.inner().rows.tasks.values().cloned().collect()
    }

    /// One task.
    pub fn task(&self, arn: &TaskArn) -> Option<Task> {
        self.inner().rows.tasks.get(arn).cloned()
    }

    /// Every event there ever was, also those that a timeline has no room for any more.
    pub fn all_events(&self) -> Vec<StoredEvent> {
        self.inner().rows.events.clone()
    }

    /// Power loss: what was committed and not flushed is gone.
    pub fn lose_power(&self) {
        let mut inner = self.inner();
        if let Some((flushed, until)) = inner.flushed.take()
            && !until.is_over()
        {
            inner.rows = flushed;
        }
    }

    /// The agent dies: nobody flushes what is not flushed, until the next one opens the store.
    pub fn stop_flushing(&self) {
        if let Some((_, until)) = &mut self.inner().flushed
            && !until.is_over()
        {
            *until = Until::Never;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, changes: &[Change], flush: bool) -> Result<i64, BoundaryError> {
        tokio::time::sleep(COMMIT_TIME).await;
        let mut inner = self.inner();
        if let Some(left) = inner.failures.checked_sub(1) {
            inner.failures = left;
            let error = BoundaryError::new("commit", ErrorKind::NoSpace, "disk full");
            return Err(error);
        }
        if inner
            .flushed
            .as_ref()
            .is_some_and(|(_, until)| until.is_over())
        {
            inner.flushed = None;
        }
        if !flush && inner.flushed.is_none() {
            inner.flushed = Some((inner.rows.clone(), Until::At(Instant::now() + FLUSH_TIME)));
        }
        // A transaction that changes nothing flushes nothing.
        if flush && changes.iter().any(|change| inner.rows.would_change(change)) {
            inner.flushed = None;
        }
        let mut last = 0;
        for change in changes {
            last = inner.rows.apply(change).unwrap_or(last);
        }
        if let Some(left) = inner.lost_answers.checked_sub(1) {
            inner.lost_answers = left;
            return Err(BoundaryError::deadline("commit", COMMIT_TIME));
        }
        Ok(last)
    }
}

#[async_trait]
impl InstanceStore for MemoryStore {
    async fn facts(&self) -> Result<BTreeMap<String, String>, BoundaryError> {
        let mut inner = self.inner();
        inner.failing_reads = match inner.failing_reads {
            Some((0, 0)) | None => None,
            Some((0, bad)) => {
                inner.failing_reads = Some((0, bad - 1)).filter(|_| bad > 1);
                let error = BoundaryError::new("read facts", ErrorKind::Transient, "busy");
                return Err(error);
            }
            Some((good, bad)) => Some((good - 1, bad)),
        };
        Ok(inner.rows.facts.clone())
    }

    async fn keep(&self, facts: &[(&str, &str)]) -> Result<(), BoundaryError> {
        tokio::time::sleep(COMMIT_TIME).await;
        let mut inner = self.inner();
        if inner.failures > 0 {
            inner.failures -= 1;
            return Err(BoundaryError::new(
                "keep facts",
                ErrorKind::NoSpace,
                "the disk is full",
            ));
        }
        let facts = facts
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()));
        inner.flushed = None;
        inner.rows.facts.extend(facts);
        Ok(())
    }
}

#[async_trait]
impl TaskStore for MemoryStore {
    async fn load(&self) -> Result<Loaded, BoundaryError> {
        let mut inner = self.inner();
        if let Some((_, until @ Until::Never)) = &mut inner.flushed {
            *until = Until::At(Instant::now() + FLUSH_TIME);
        }
        let rows = &inner.rows;
        Ok(Loaded {
            tasks: rows.tasks.values().cloned().collect(),
            images: rows.images.values().cloned().collect(),
            draining: rows.draining.clone(),
            damage: Vec::new(),
        })
    }

    async fn commit(&self, changes: &[Change]) -> Result<i64, BoundaryError> {
        self.write(changes, true).await
    }

    async fn commit_unflushed(&self, changes: &[Change]) -> Result<i64, BoundaryError> {
        self.write(changes, false).await
    }

    async fn flush(&self) -> Result<(), BoundaryError> {
        self.inner().flushed = None;
        Ok(())
    }

    async fn events_after(
        &self,
        task: Option<&TaskArn>,
        sequence: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, BoundaryError> {
        let rows = &self.inner().rows;
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
        let rows = &self.inner().rows;
        let kept = rows.kept(MAX_EVENTS_PER_TASK);
        let earlier = |stored: &&StoredEvent| {
            stored.sequence <= sequence && task.is_some_and(|arn| *arn == stored.event.arn)
        };
        let last = kept.last().map_or(0, |stored| stored.sequence);
        if sequence <= last && kept.iter().any(earlier) {
            return Ok(None);
        }
        let after = kept.iter().filter(|stored| stored.sequence > sequence);
        let whole = last.checked_sub(sequence) == i64::try_from(after.count()).ok();
        let first = kept.first().map_or(0, |stored| stored.sequence);
        Ok((!whole).then_some(first))
    }

    async fn recent_events(&self, per_task: u32) -> Result<Vec<StoredEvent>, BoundaryError> {
        let rows = &self.inner().rows;
        let there = |stored: &&StoredEvent| rows.tasks.contains_key(&stored.event.arn);
        let events = rows.kept(per_task).into_iter().filter(there);
        Ok(events.cloned().collect())
    }

    async fn close(&self) {}
}

impl Rows {
    fn would_change(&self, change: &Change) -> bool {
        match change {
            Change::Desired(desired) => {
                let present = self.tasks.get(&desired.arn);
                present.is_none_or(|task| task.desired != *desired)
            }
            Change::Known(arn, known) => {
                self.tasks.get(arn).is_some_and(|task| task.known != *known)
            }
            Change::Forget(arn) => self.tasks.contains_key(arn),
            Change::ForgetImage(reference) => self.images.contains_key(reference),
            Change::Draining(state) => self.draining != *state,
            Change::Image(image) => self.images.get(&image.reference) != Some(image),
            Change::Event(_) => true,
        }
    }

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
