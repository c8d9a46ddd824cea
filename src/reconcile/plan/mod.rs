//! What shall be done now for one task: pure, total, without a clock of its own.
//!
//! [`plan`] takes what is asked and what is known and gives what will be known, the actions that can run now, what
//! the task waits for, and when to look again. A plan is short: what cannot run now is found on the next pass.
//!
//! **Invariants.** Equal input gives an equal plan. A converged task plans nothing. No start before its
//! dependencies, no stop before its dependents, nothing forgotten before its absence is confirmed. A resource or
//! container is registered in the known state that is committed before the action that makes it.

pub mod admission;

pub mod spec;

mod cleanup;

mod gates;

mod ports;

mod resources;

mod roles;

mod start;

mod stop;

mod waits;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::boundary::credentials::RoleReadiness;
use crate::domain::host::HostFacts;
use crate::domain::ids::{ContainerName, UnixMillis};
use crate::domain::layout::Layout;
use crate::domain::port_mapping::Protocol;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::status::{ContainerStatus, DesiredStatus, TaskStatus};
use crate::domain::task::{KnownTask, Step, Task, TaskEvent};

use super::action::{Action, Subject};
use super::backoff::is_due;
use super::draft::{Draft, describe_end};
use super::observe::Hints;
use super::settings::EngineSettings;
use admission::Verdict;
use waits::Waits;

/// A step under way, as far as a decision needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Which step.
    pub step: Step,
    /// Since when.
    pub since: UnixMillis,
}

/// Everything a decision may rest on.
#[derive(Debug)]
pub struct PlanInput<'a> {
    /// The rows.
    pub task: &'a Task,
    /// Which containers and resources the task really has.
    pub layout: &'a Layout,
    /// Steps under way.
    pub in_flight: &'a BTreeMap<Subject, Flight>,
    /// What the host can do; `None` = Docker has not answered yet.
    pub host: Option<&'a HostFacts>,
    /// Whether Docker answers.
    pub runtime_up: bool,
    /// Whether the host's resources are granted; asked for tasks that are not admitted yet.
    pub verdict: Option<&'a Verdict>,
    /// Why this host cannot run the definition, if it cannot; asked for tasks that are not admitted yet.
    pub refusal: Option<&'a Reason>,
    /// How far the credentials of the task's role are; `None` = it has no role, or roles are not served here.
    pub role: Option<&'a RoleReadiness>,
    /// The same of its execution role, as far as it can be had.
    pub execution_role: Option<&'a RoleReadiness>,
    /// Containers whose values from outside are held.
    pub secrets_held: &'a BTreeSet<ContainerName>,
    /// Host ports that other tasks have.
    pub taken_ports: &'a BTreeSet<(u16, Protocol)>,
    /// Last host port given out for a range: the search goes on behind it.
    pub last_port: u16,
    /// The text of the label from which the task can be rebuilt.
    pub label: &'a str,
    /// Drawn for this decision ([`Draft::luck`]).
    pub luck: u32,
    /// Operators' settings.
    pub settings: &'a EngineSettings,
    /// Now.
    pub now: UnixMillis,
}

/// A decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What will be known, once committed.
    pub known: KnownTask,
    /// What was seen and is not a fact.
    pub hints: Hints,
    /// What will be in the timeline.
    pub events: Vec<TaskEvent>,
    /// What to do now, after the commit.
    pub actions: Vec<Action>,
    /// Pulls under way that nobody needs any more.
    pub cancel: Vec<Subject>,
    /// When to look again if nothing happens.
    pub next: Option<UnixMillis>,
    /// Nothing of the task is left: drop its rows.
    pub forget: bool,
}

/// The parts of a decision while it is made.
struct Planner<'a, 'b> {
    input: &'b PlanInput<'a>,
    draft: Draft<'b>,
    actions: Vec<Action>,
    cancel: Vec<Subject>,
    waits: Waits,
    forget: bool,
}

/// Decides. `draft` holds what observations and outcomes have already changed.
pub fn plan<'b>(input: &'b PlanInput<'_>, draft: Draft<'b>) -> Plan {
    let waits = Waits::new(input.now);
    let mut planner = Planner {
        input,
        draft,
        actions: Vec::new(),
        cancel: Vec::new(),
        waits,
        forget: false,
    };
    planner.run();
    planner.finish()
}

impl Planner<'_, '_> {
    fn run(&mut self) {
        self.draft.known.observed_generation = self.input.task.desired.generation;
        let before = self.ended();
        self.settle_ends();
        self.stop_for_essentials();
        if self.desired() == DesiredStatus::Stopped {
            self.plan_stop();
        } else {
            self.plan_start();
            // A start may have failed for good; then the stop begins in the same pass.
            self.stop_for_essentials();
            if self.desired() == DesiredStatus::Stopped {
                self.actions.clear();
                self.waits = Waits::new(self.input.now);
                self.plan_stop();
            }
        }
        self.derive_status();
        if self.draft.known.status == TaskStatus::Stopped {
            self.plan_cleanup();
        }
        self.plan_looks();
        if self.ended() != before {
            // Others may have been waiting for what ended in this pass.
            self.waits.look_at(Some(self.input.now));
        }
    }

    /// Containers that have ended.
    fn ended(&self) -> usize {
        self.draft
            .known
            .containers
            .values()
            .filter(|known| known.status == ContainerStatus::Stopped)
            .count()
    }

    fn desired(&self) -> DesiredStatus {
        if self.draft.known.stop.is_some() {
            DesiredStatus::Stopped
        } else {
            self.draft.desired.status
        }
    }

    fn status(&self, name: &ContainerName) -> ContainerStatus {
        self.draft
            .known
            .containers
            .get(name)
            .map_or(ContainerStatus::None, |known| known.status)
    }

    fn flight(&self, name: &ContainerName) -> Option<Flight> {
        self.input
            .in_flight
            .get(&Subject::Container(name.clone()))
            .copied()
    }

    /// Ends that were held back because they might have been half of a restart by hand.
    fn settle_ends(&mut self) {
        let now = self.input.now;
        let due: Vec<ContainerName> = self
            .draft
            .known
            .containers
            .iter()
            .filter(|(_, known)| {
                let due = |at| is_due(at, now, super::observe::SETTLE);
                known.settles_at.is_some_and(due)
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            let hints = &mut self.draft.hints;
            if hints.look.contains(&name) || !hints.sure.contains(&name) {
                // The next run may have begun, unheard or with an earlier agent.
                hints.look.insert(name);
            } else if self.flight(&name).is_none() {
                super::observe::settle(&mut self.draft, &name);
            }
        }
        let held_back = self.draft.known.containers.values();
        let ahead = held_back.filter_map(|known| known.settles_at.filter(|at| *at > now));
        for at in ahead {
            self.waits.look_at(Some(at));
        }
    }

    /// The task stops with the first essential container that has.
    fn stop_for_essentials(&mut self) {
        if self.draft.known.containers.is_empty() {
            return;
        }
        let ended = self
            .input
            .layout
            .containers
            .iter()
            .filter(|container| container.essential)
            .find_map(|found| {
                let known = self.draft.known.containers.get(&found.name)?;
                (known.status == ContainerStatus::Stopped)
                    .then(|| (found.name.clone(), known.clone()))
            });
        let Some((name, known)) = ended else {
            return;
        };
        if self.draft.known.execution_stopped_at.is_none() {
            self.draft.known.execution_stopped_at = Some(self.input.now);
        }
        if self.desired() == DesiredStatus::Running {
            let message = format!("essential container {name} {}", describe_end(&known));
            self.draft
                .stop_task(Reason::new(ReasonName::EssentialContainerExited, message));
        }
    }

    fn derive_status(&mut self) {
        let statuses = self
            .input
            .layout
            .containers
            .iter()
            .map(|container| self.status(&container.name));
        let derived = TaskStatus::of_containers(statuses);
        let known = &mut self.draft.known;
        // Nor does one begin to run whose end is only held back.
        let held_back = known.containers.values().any(|c| c.settles_at.is_some());
        let dying = known.execution_stopped_at.is_some() || held_back;
        if derived <= known.status || (derived == TaskStatus::Running && dying) {
            return;
        }
        known.status = derived;
        match derived {
            TaskStatus::Running => {
                known.started_at = Some(self.input.now);
                let words = "every container runs or has done its work";
                self.draft.tell(TaskEvent::RUNNING, words);
            }
            TaskStatus::Stopped => {
                known.stopped_at = Some(self.input.now);
                let why = known.stop.as_ref().map(|cause| cause.reason.to_string());
                let asked = self
                    .draft
                    .desired
                    .stop_reason
                    .as_ref()
                    .map(ToString::to_string);
                self.draft.tell(
                    TaskEvent::TASK_STOPPED,
                    why.or(asked)
                        .unwrap_or_else(|| "every container ended".to_owned()),
                );
            }
            TaskStatus::Pending | TaskStatus::Created => {}
        }
    }

    /// The action is taken after the commit and waited for from then on; without Docker, what is done through it is
    /// waited for.
    fn take_step(&mut self, action: Action) {
        let step = action.verb.step();
        if !self.input.runtime_up && !is_local(&action) {
            self.waits.for_runtime(&action.subject, step);
            return;
        }
        self.wait_for_step(&action.subject, step, self.input.now);
        self.actions.push(action);
    }

    /// A look at what runs as it should is nothing that the task waits for.
    fn wait_for_step(&mut self, subject: &Subject, step: Step, since: UnixMillis) {
        let settled = match subject {
            Subject::Container(name) => {
                self.desired() == DesiredStatus::Running
                    && self.status(name) == ContainerStatus::Running
            }
            Subject::Resource(_) => false,
        };
        if step != Step::Inspect || !settled {
            self.waits.for_flight(subject, step, since);
        }
    }

    fn finish(mut self) -> Plan {
        let conditions = self.waits.conditions(&self.draft.known.conditions);
        self.draft.known.conditions = conditions;
        Plan {
            known: self.draft.known,
            hints: self.draft.hints,
            events: self.draft.events,
            actions: self.actions,
            cancel: self.cancel,
            next: self.waits.next(),
            forget: self.forget,
        }
    }
}

/// Whether the action works without Docker.
fn is_local(action: &Action) -> bool {
    use super::action::Verb;
    matches!(
        action.verb,
        Verb::CreateCgroup { .. } | Verb::RemoveCgroup | Verb::FetchSecrets { .. }
    )
}
