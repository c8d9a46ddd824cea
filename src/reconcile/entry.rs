//! One task in the worker's memory: its rows, and beside them what a restart may forget.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::boundary::DesiredCodec;
use crate::boundary::store::Change;
use crate::domain::ids::{ContainerName, Generation, UnixMillis};
use crate::domain::layout::{Layout, layout};
use crate::domain::reason::ReasonName;
use crate::domain::status::{ContainerStatus, DesiredStatus, TaskStatus};
use crate::domain::task::{DesiredTask, KnownContainer, KnownTask, Step, Task};

use super::action::{Action, Outcome, Subject};
use super::draft::Draft;
use super::observe::{Hints, Observation, observe};
use super::outcome::apply;
use super::plan::{Flight, Plan, PlanInput, plan};
use super::timeline::Timeline;

/// Something to be taken in at the next pass. Kept until the commit that rests on it.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Seen(ContainerName, Observation),
    Done(Action, Outcome),
}

/// A step under way.
#[derive(Debug)]
pub(super) struct FlightHandle {
    pub(super) flight: Flight,
    pub(super) cancel: CancellationToken,
    /// Something has been heard of the container since the look was asked for: it is looked at again.
    pub(super) doubted: bool,
}

/// One task.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) task: Task,
    pub(super) layout: Arc<Layout>,
    pub(super) label: Arc<str>,
    pub(super) hints: Hints,
    pub(super) flights: BTreeMap<Subject, FlightHandle>,
    pub(super) inputs: Vec<Input>,
    /// When the last fact about a container came in: a list that began before is stale for it.
    pub(super) fact_at: BTreeMap<ContainerName, Instant>,
    pub(super) planned: Vec<String>,
    pub(super) timeline: Arc<Timeline>,
    /// By how many milliseconds the clock was set forward, or back, since the last pass.
    clock_set: i64,
    generation: Generation,
}

/// A pass that has been thought through and not yet committed.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) plan: Plan,
    pub(super) inputs_taken: usize,
}

impl Entry {
    pub(super) fn new(task: Task, codec: &dyn DesiredCodec) -> Self {
        let layout = Arc::new(layout(&task.desired));
        let label = Arc::from(codec.encode(&task.desired));
        let generation = task.desired.generation;
        Self {
            task,
            layout,
            label,
            hints: Hints::default(),
            flights: BTreeMap::new(),
            inputs: Vec::new(),
            fact_at: BTreeMap::new(),
            planned: Vec::new(),
            timeline: Arc::default(),
            clock_set: 0,
            generation,
        }
    }

    /// Takes new desired state in.
    pub(super) fn set_desired(&mut self, desired: DesiredTask, codec: &dyn DesiredCodec) {
        self.task.desired = desired;
        if self.generation != self.task.desired.generation {
            self.layout = Arc::new(layout(&self.task.desired));
            self.label = Arc::from(codec.encode(&self.task.desired));
            self.generation = self.task.desired.generation;
        }
    }

    /// What rows say after a commit that was durable although it failed. They were set along with the clock, what is
    /// in no row was not.
    pub(super) fn set_known(&mut self, known: KnownTask, now: UnixMillis) {
        self.task.known = known;
        let known = &self.task.known;
        self.hints.clock_was_set(known, self.clock_set, now);
        self.clock_set = 0;
    }

    /// Somebody has set the clock. Steps under way keep their age at once, all else with the next pass.
    pub(super) fn clock_was_set(&mut self, millis: i64) {
        for handle in self.flights.values_mut() {
            handle.flight.since = handle.flight.since.set_forward(millis);
        }
        self.clock_set = self.clock_set.saturating_add(millis);
    }

    /// Which creation of the container is the present one.
    pub(super) fn attempt(&self, container: &ContainerName) -> u32 {
        let known = self.task.known.containers.get(container);
        known.map_or(0, |known| known.attempt)
    }

    /// Steps under way, as data.
    pub(super) fn flights_as_data(&self) -> BTreeMap<Subject, Flight> {
        self.flights
            .iter()
            .map(|(subject, handle)| (subject.clone(), handle.flight))
            .collect()
    }

    /// Whether an image is being pulled for the task.
    pub(super) fn is_pulling(&self) -> bool {
        self.flights
            .values()
            .any(|handle| handle.flight.step == Step::Pull)
    }

    /// Whether the task is on its way somewhere, so that the full list should look often.
    pub(super) fn is_unsettled(&self) -> bool {
        let known = &self.task.known;
        match (self.task.effective_desired(), known.status) {
            (DesiredStatus::Running, TaskStatus::Running) => false,
            (_, TaskStatus::Stopped) => self.task.desired.remove,
            _ => known.admitted_at.is_some(),
        }
    }

    fn draft(&self, now: UnixMillis) -> Draft<'_> {
        Draft::new(
            &self.task.desired,
            self.task.known.clone(),
            self.hints.clone(),
            now,
        )
    }

    /// Takes an observation in at the next pass. Of those that say a state, the latest is enough: while rows cannot
    /// be written nothing may pile up.
    pub(super) fn see(&mut self, name: ContainerName, seen: Observation) {
        let kind = state_kind(&seen);
        if kind.is_some() {
            self.inputs.retain(|input| match input {
                Input::Seen(other, before) => *other != name || state_kind(before) != kind,
                Input::Done(..) => true,
            });
        }
        let input = Input::Seen(name, seen);
        let at = match &input {
            Input::Seen(name, Observation::Signalled) => self.end_of(name),
            Input::Seen(..) | Input::Done(..) => None,
        };
        match at {
            Some(index) => self.inputs.insert(index, input),
            None => self.inputs.push(input),
        }
    }

    /// Where among the inputs the container's end is told. A signal that is heard after it explains it all the same.
    fn end_of(&self, name: &ContainerName) -> Option<usize> {
        self.inputs.iter().position(|input| match input {
            Input::Seen(other, seen) => other == name && matches!(seen, Observation::Died { .. }),
            Input::Done(..) => false,
        })
    }

    /// Whether an entry of a full list says anything that is not known already: most say nothing.
    pub(super) fn is_news(&self, name: &ContainerName, seen: &Observation) -> bool {
        let mut draft = self.draft(UnixMillis(0));
        observe(&mut draft, name, seen.clone());
        draft.hints != self.hints || draft.known != self.task.known
    }

    /// Observes, applies and plans: pure but for reading `self`.
    pub(super) fn think(&self, input: &PlanInput<'_>) -> Pass {
        let mut draft = self.draft(input.now);
        draft.log_failure = input.settings.log_failure;
        draft.pull_behavior = input.settings.pull_behavior;
        draft.instance = &input.settings.instance;
        draft.luck = input.luck;
        draft.clock_was_set(self.clock_set);
        for item in &self.inputs {
            match item {
                Input::Seen(name, seen) => observe(&mut draft, name, seen.clone()),
                Input::Done(action, outcome) => apply(&mut draft, action, outcome.clone()),
            }
        }
        Pass {
            plan: plan(input, draft),
            inputs_taken: self.inputs.len(),
        }
    }

    /// Whether the pass says only what can be seen again after a power loss, so that nothing of it is lost with its rows:
    /// it acts on nothing, nothing failed in it, and what ended in it ended with an exit code that Docker has written
    /// down too. A container or task that is given up for any other reason would be taken up again.
    pub(super) fn only_saw(&self, pass: &Pass) -> bool {
        let plan = &pass.plan;
        let mut actions = plan.actions.iter();
        let mut inputs = self.inputs.iter().take(pass.inputs_taken);
        let before = &self.task.known;
        let mut ended = plan.known.containers.iter().filter(|(name, known)| {
            let before = before.containers.get(*name);
            known.status == ContainerStatus::Stopped
                && before.is_none_or(|before| before.status != ContainerStatus::Stopped)
        });
        // One that never ran has its code from the agent alone.
        let coded = |known: &KnownContainer| {
            let code = known.exit.as_ref().and_then(|exit| exit.code);
            known.started_at.is_some() && code.is_some()
        };
        let explained = plan.known.stop == before.stop
            || plan
                .known
                .stop
                .as_ref()
                .is_some_and(|cause| cause.reason.name == ReasonName::EssentialContainerExited);
        !plan.forget
            && actions.all(|action| action.verb.only_looks())
            && !inputs.any(|input| matches!(input, Input::Done(_, Outcome::Failed(_))))
            && ended.all(|(_, known)| coded(known))
            && explained
    }

    /// What the pass changes durably.
    pub(super) fn changes(&self, pass: &Pass) -> Vec<Change> {
        let mut changes: Vec<Change> = pass
            .plan
            .events
            .iter()
            .cloned()
            .map(Change::Event)
            .collect();
        for input in self.inputs.iter().take(pass.inputs_taken) {
            if let Input::Done(_, Outcome::ImageReady(ready)) = input {
                changes.push(Change::Image(ready.record.clone()));
                changes.extend(ready.superseded.clone().map(Change::Image));
            }
        }
        if pass.plan.forget {
            changes.push(Change::Forget(self.task.arn().clone()));
        } else if pass.plan.known != self.task.known {
            changes.push(Change::Known(
                self.task.arn().clone(),
                pass.plan.known.clone(),
            ));
        }
        changes
    }

    /// The pass is durable.
    pub(super) fn install(&mut self, pass: &Pass) {
        self.task.known = pass.plan.known.clone();
        self.hints = pass.plan.hints.clone();
        self.clock_set = 0;
        self.inputs
            .drain(..pass.inputs_taken.min(self.inputs.len()));
        self.planned = pass.plan.actions.iter().map(ToString::to_string).collect();
    }
}

/// Observations of one kind replace each other; `None` = each counts.
fn state_kind(seen: &Observation) -> Option<u8> {
    match seen {
        Observation::Listed(_) | Observation::Unlisted => Some(0),
        Observation::Probed(_) => Some(1),
        Observation::Changed => Some(2),
        Observation::Signalled => Some(3),
        Observation::Inspected(_) | Observation::Died { .. } => None,
    }
}
