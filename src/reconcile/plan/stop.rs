//! Towards STOPPED: each container ends after those that depend on it, and nothing is called stopped that may live.

use std::time::Duration;

use crate::domain::ids::{ContainerName, DockerId};
use crate::domain::layout::LayoutContainer;
use crate::domain::runtime::RunState;
use crate::domain::status::ContainerStatus;
use crate::domain::task::{Cause, KnownContainer, Step};
use crate::reconcile::action::{Subject, Verb};
use crate::reconcile::backoff::is_due;
use crate::reconcile::observe::SETTLE;

use super::Planner;
use super::waits::Wait;

/// Grace of a pause container: its stop signal is SIGKILL.
const PAUSE_GRACE: Duration = Duration::from_secs(1);

/// When a container is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// After those that depend on it.
    AfterDependents,
    /// Now: its task runs on without it, and those that depend on it with the task.
    AtOnce,
}

impl Planner<'_, '_> {
    pub(super) fn plan_stop(&mut self) {
        let layout = self.input.layout;
        for container in &layout.containers {
            self.stop_one(container, Order::AfterDependents);
        }
    }

    pub(super) fn stop_one(&mut self, container: &LayoutContainer, order: Order) {
        let name = &container.name;
        let known = self
            .draft
            .known
            .containers
            .get(name)
            .cloned()
            .unwrap_or_default();
        if known.status == ContainerStatus::Stopped {
            return;
        }
        if let Some(flight) = self.flight(name) {
            if flight.step == Step::Pull {
                self.cancel.push(Subject::Container(name.clone()));
            }
            let subject = Subject::Container(name.clone());
            self.waits.for_flight(&subject, flight.step, flight.since);
            return;
        }
        let now = self.input.now;
        if known.settles_at.is_some_and(|at| !is_due(at, now, SETTLE)) {
            // It lives again in a moment, or it does not: only then is there something to stop, or nothing.
            self.waits.for_next_run(name);
            return;
        }
        match known.status {
            ContainerStatus::None | ContainerStatus::Pulled | ContainerStatus::Created => {
                self.end_unstarted(name, &known);
            }
            // Between two runs: it will not be started again.
            ContainerStatus::Running if known.exit.is_some() => self.end_unstarted(name, &known),
            ContainerStatus::Running | ContainerStatus::Stopped => {
                self.end_running(container, &known, order);
            }
        }
    }

    /// A container that does not run needs no call, unless a create or start failed, or an earlier agent may have asked
    /// for its start: then look first.
    fn end_unstarted(&mut self, name: &ContainerName, known: &KnownContainer) {
        let failed = known.retry.as_ref().map(|retry| retry.step);
        let sure = self.draft.hints.sure.contains(name);
        let doubtful = match failed {
            Some(Step::Create | Step::Start) => !sure,
            Some(Step::Inspect) => true,
            _ => false,
        };
        let unsure = known.docker_id.is_some() && !sure;
        if doubtful || unsure || self.draft.hints.look.contains(name) {
            if failed != Some(Step::Inspect) || !self.wait_for_retry(name) {
                self.look(name);
            }
            return;
        }
        self.draft.stop_container(name, None, None);
    }

    fn end_running(&mut self, container: &LayoutContainer, known: &KnownContainer, order: Order) {
        let name = &container.name;
        let awaited: Vec<&str> = container
            .stops_after
            .iter()
            .filter(|_| order == Order::AfterDependents)
            .filter(|other| self.status(other) != ContainerStatus::Stopped)
            .map(ContainerName::as_str)
            .collect();
        if !awaited.is_empty() {
            self.waits.add(Wait {
                container: Some(name),
                cause: Cause::WaitingForDependents,
                message: format!("stops after {}", awaited.join(", ")),
                then: format!("stop {name} when they have"),
            });
            return;
        }
        if self.wait_for_retry(name) {
            return;
        }
        let Some(id) = known.docker_id.clone() else {
            self.look(name);
            return;
        };
        self.ask_to_end(name, known, id);
    }

    fn ask_to_end(&mut self, name: &ContainerName, known: &KnownContainer, id: DockerId) {
        if !self.input.runtime_up {
            // The grace begins when the container can be told.
            let subject = Subject::Container(name.clone());
            self.waits.for_runtime(&subject, Step::Stop);
            return;
        }
        let now = self.input.now;
        let grace = self.grace(name);
        let first_asked = known.stop_requested_at.unwrap_or(now);
        let left = grace.saturating_sub(now.since(first_asked));
        let failed_before = known
            .retry
            .as_ref()
            .is_some_and(|retry| retry.step == Step::Stop);
        if known.stop_requested_at.is_none() {
            self.draft.container(name).stop_requested_at = Some(now);
            self.draft.tell_of(
                name,
                "StopRequested",
                format!("asked to end within {} s", grace.as_secs()),
            );
        }
        let verb = if failed_before && left.is_zero() {
            Verb::Kill { id }
        } else {
            Verb::Stop { id, grace: left }
        };
        self.act(name, verb);
    }

    fn grace(&self, name: &ContainerName) -> Duration {
        match self.draft.desired.definition.container(name) {
            Some(found) => found
                .stop_timeout
                .unwrap_or(self.input.settings.stop_timeout),
            None => PAUSE_GRACE,
        }
    }

    pub(super) fn look(&mut self, name: &ContainerName) {
        let found = self.draft.hints.found.get(name).cloned();
        let known = self.draft.container(name);
        let id_or_name = if let Some(id) = known.docker_id.clone().or(found) {
            id.to_string()
        } else {
            let attempt = known.attempt;
            self.draft.desired.docker_name(name, attempt)
        };
        self.act(name, Verb::Inspect { id_or_name });
    }

    /// Looks that were asked for by hints, and containers that run although they were final.
    pub(super) fn plan_looks(&mut self) {
        let layout = self.input.layout;
        for container in &layout.containers {
            let name = &container.name;
            let subject = Subject::Container(name.clone());
            if self.flight(name).is_some()
                || self.actions.iter().any(|action| action.subject == subject)
            {
                continue;
            }
            if self.draft.hints.look.contains(name) {
                if !self.wait_for_retry(name) {
                    self.look(name);
                }
                continue;
            }
            self.stop_again(name);
        }
    }

    /// A container that runs although its end was final.
    fn stop_again(&mut self, name: &ContainerName) {
        let state = self.draft.hints.states.get(name).copied();
        let known = self.draft.known.containers.get(name);
        let Some(known) = known.filter(|known| {
            known.status == ContainerStatus::Stopped && state.is_some_and(RunState::may_live)
        }) else {
            return;
        };
        let tried = known.retry.clone().filter(|retry| retry.step == Step::Stop);
        let Some(id) = known.docker_id.clone().filter(|_| !known.removed) else {
            return;
        };
        if self.wait_for_retry(name) {
            return;
        }
        if tried.is_some() {
            self.act(name, Verb::Kill { id });
            return;
        }
        self.draft.tell_of(
            name,
            "StartedOutside",
            "started by somebody else after its end; stopping it",
        );
        let grace = self.grace(name);
        self.act(name, Verb::Stop { id, grace });
    }
}
