//! Commands on their way into a commit: staged in memory, answered when durable, taken back when not.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::oneshot;

use crate::boundary::DesiredCodec;
use crate::boundary::store::Change;
use crate::domain::draining::Draining;
use crate::domain::ids::{Generation, TaskArn};
use crate::domain::status::TaskStatus;
use crate::domain::task::{DesiredTask, Reported, Task, TaskEvent};

use super::desired;
use super::entries::Entries;
use super::entry::Entry;
use super::handle::{Command, HandleError, PutOutcome};
use super::worker::{Dependencies, Reconciler};

/// An answer that waits for the commit.
enum Answer {
    Put(oneshot::Sender<Result<PutOutcome, HandleError>>, PutOutcome),
    Generation(oneshot::Sender<Result<Generation, HandleError>>, Generation),
    Done(oneshot::Sender<Result<(), HandleError>>),
}

/// What a command makes of the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
enum DrainChange {
    Begins(Draining),
    Ends,
}

impl DrainChange {
    fn state(&self) -> Option<&Draining> {
        match self {
            Self::Begins(draining) => Some(draining),
            Self::Ends => None,
        }
    }
}

/// Commands of one batch.
#[derive(Default)]
pub(super) struct Staged {
    /// What was there before, for each key that a command changed.
    before: BTreeMap<TaskArn, Option<DesiredTask>>,
    /// What was acknowledged before, for each key of which more is now.
    reported_before: BTreeMap<TaskArn, Reported>,
    events: Vec<TaskEvent>,
    forgotten_images: Vec<String>,
    /// Whether the instance will drain, if a command changed that.
    drain: Option<DrainChange>,
    answers: Vec<Answer>,
}

impl Staged {
    pub(super) fn keys(&self) -> BTreeSet<TaskArn> {
        let keys = self.before.keys().chain(self.reported_before.keys());
        keys.cloned().collect()
    }

    /// Whether a command changed what is wanted of a task.
    pub(super) fn changes_desired(&self) -> bool {
        !self.before.is_empty()
    }

    /// Whether nobody is promised anything: what the control plane has acknowledged it can be told twice.
    pub(super) fn promises_nothing(&self) -> bool {
        self.before.is_empty() && self.drain.is_none() && self.forgotten_images.is_empty()
    }

    pub(super) fn changes(&self, entries: &BTreeMap<TaskArn, Entry>) -> Vec<Change> {
        let desired = self.before.keys().filter_map(|arn| entries.get(arn));
        let reported = self.reported_before.keys();
        let reported = reported.filter_map(|arn| entries.get_key_value(arn));
        desired
            .map(|entry| Change::Desired(entry.task.desired.clone()))
            .chain(
                reported.map(|(arn, entry)| Change::Known(arn.clone(), entry.task.known.clone())),
            )
            .chain(self.events.iter().cloned().map(Change::Event))
            .chain(
                self.forgotten_images
                    .iter()
                    .cloned()
                    .map(Change::ForgetImage),
            )
            .chain(
                self.drain
                    .iter()
                    .map(|change| Change::Draining(change.state().cloned())),
            )
            .collect()
    }

    /// Whether the instance will drain once this is durable.
    pub(super) fn draining<'a>(&'a self, present: Option<&'a Draining>) -> Option<&'a Draining> {
        self.drain.as_ref().map_or(present, DrainChange::state)
    }

    /// Whether a command changed that.
    pub(super) fn changes_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// What became durable, told to whoever counts.
    pub(super) fn count(&self, entries: &BTreeMap<TaskArn, Entry>, deps: &Dependencies) {
        let (meter, now) = (&deps.meter, deps.clock.now());
        let new = self.before.iter().filter(|(_, before)| before.is_none());
        for entry in new.filter_map(|(arn, _)| entries.get(arn)) {
            meter.received(now.since(entry.task.desired.arrived_at));
        }
        for (arn, before) in &self.reported_before {
            if let Some(Entry { task, .. }) = entries.get(arn)
                && before.status < Some(TaskStatus::Running)
                && task.known.reported.status >= Some(TaskStatus::Running)
            {
                meter.reported(now.since(task.desired.arrived_at));
            }
        }
    }

    pub(super) fn answer(self) {
        for answer in self.answers {
            // A caller that has gone away needs no answer.
            match answer {
                Answer::Put(reply, outcome) => drop(reply.send(Ok(outcome))),
                Answer::Generation(reply, generation) => drop(reply.send(Ok(generation))),
                Answer::Done(reply) => drop(reply.send(Ok(()))),
            }
        }
    }

    pub(super) fn roll_back(self, entries: &mut Entries, why: &str, codec: &dyn DesiredCodec) {
        for (arn, before) in self.reported_before {
            if let Some(entry) = entries.get_mut(&arn) {
                entry.task.known.reported = before;
            }
        }
        for (arn, before) in self.before {
            match before {
                Some(desired) => {
                    if let Some(entry) = entries.get_mut(&arn) {
                        entry.set_desired(desired, codec);
                    }
                }
                None => entries.remove(&arn),
            }
        }
        for answer in self.answers {
            let refused = HandleError::NotDurable(why.to_owned());
            match answer {
                Answer::Put(reply, _) => drop(reply.send(Err(refused))),
                Answer::Generation(reply, _) => drop(reply.send(Err(refused))),
                Answer::Done(reply) => drop(reply.send(Err(refused))),
            }
        }
    }
}

impl Reconciler {
    /// Makes the command's change in memory; the commit of this batch makes it durable.
    pub(super) fn stage(&mut self, command: Command, staged: &mut Staged) {
        let now = self.deps.clock.now();
        match command {
            Command::Put(put, given, reply) => {
                let arn = put.arn.clone();
                let present = self.entries.get(&arn).map(|entry| &entry.task.desired);
                match desired::put(present, put, now, self.deps.ids.as_ref()) {
                    Err(refused) => drop(reply.send(Err(refused))),
                    Ok((changed, outcome)) => {
                        if let Some(changed) = changed {
                            let changed = desired::with_given(changed, given);
                            let message = format!(
                                "{}:{} received",
                                changed.definition.family, changed.definition.revision
                            );
                            self.set(changed, TaskEvent::RECEIVED, message, staged);
                        }
                        staged.answers.push(Answer::Put(reply, outcome));
                    }
                }
            }
            Command::Reported(arn, reported, refused, reply) => match self.entries.get_mut(&arn) {
                None => drop(reply.send(Err(HandleError::NotFound(arn)))),
                Some(entry) => {
                    let known = &mut entry.task.known.reported;
                    let before = known.clone();
                    *known = reported.and(before.clone());
                    staged.reported_before.entry(arn.clone()).or_insert(before);
                    staged.events.extend(refused.map(|why| TaskEvent {
                        arn: arn.clone(),
                        at: now,
                        container: None,
                        kind: "ReportRefused".to_owned(),
                        message: why,
                    }));
                    staged.answers.push(Answer::Done(reply));
                    self.queue.wake(&arn, now);
                }
            },
            Command::ForgetImages(references) => staged.forgotten_images.extend(references),
            Command::Region(region) => {
                let known = &mut self.deps.settings.endpoints.region;
                *known = known.take().or(Some(region));
            }
            Command::Drain(reason, reply) => {
                let drains = staged.draining(self.view.draining.as_ref()).is_some();
                let since = now;
                match reason {
                    Some(reason) if !drains => {
                        staged.drain = Some(DrainChange::Begins(Draining { since, reason }));
                    }
                    None if drains => staged.drain = Some(DrainChange::Ends),
                    Some(_) | None => {}
                }
                staged.answers.push(Answer::Done(reply));
            }
            Command::Stop(arn, reason, reply) => {
                let changed = self.change(&arn, |present| desired::stop(present, reason));
                self.stage_change(&arn, changed, reply, staged);
            }

            Command::Remove(arn, reason, reply) => {
                let changed = self.change(&arn, |present| desired::remove(present, reason));
                self.stage_change(&arn, changed, reply, staged);
            }
        }
    }

    /// What a change makes of the task's desired state: `None` = no such task, else the present generation and the
    /// new state, if there is one.
    fn change(
        &self,
        arn: &TaskArn,
        change: impl FnOnce(&DesiredTask) -> Option<DesiredTask>,
    ) -> Option<(Generation, Option<DesiredTask>)> {
        let present = &self.entries.get(arn)?.task.desired;
        Some((present.generation, change(present)))
    }

    fn stage_change(
        &mut self,
        arn: &TaskArn,
        change: Option<(Generation, Option<DesiredTask>)>,
        reply: oneshot::Sender<Result<Generation, HandleError>>,
        staged: &mut Staged,
    ) {
        let Some((present, changed)) = change else {
            drop(reply.send(Err(HandleError::NotFound(arn.clone()))));
            return;
        };
        let mut generation = present;
        if let Some(changed) = changed {
            generation = changed.generation;
            let why = changed
                .stop_reason
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            self.set(changed, TaskEvent::STOP_WANTED, why, staged);
        }
        staged.answers.push(Answer::Generation(reply, generation));
    }

    fn set(&mut self, changed: DesiredTask, kind: &str, message: String, staged: &mut Staged) {
        let arn = changed.arn.clone();
        let at = self.deps.clock.now();
        staged.events.push(TaskEvent {
            arn: arn.clone(),
            at,
            container: None,
            kind: kind.to_owned(),
            message,
        });
        if let Some(entry) = self.entries.get_mut(&arn) {
            let before = entry.task.desired.clone();
            entry.set_desired(changed, self.deps.codec.as_ref());
            staged.before.entry(arn.clone()).or_insert(Some(before));
        } else {
            self.entries.insert(
                arn.clone(),
                Entry::new(Task::new(changed), self.deps.codec.as_ref()),
            );
            staged.before.entry(arn.clone()).or_insert(None);
        }
        self.queue.wake(&arn, at);
    }
}
