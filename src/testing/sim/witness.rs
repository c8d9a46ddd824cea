//! A witness of every commit: what must hold of rows from one commit to the next, whatever the agent was answered.
//!
//! **Invariants that it holds the engine to.** Status never goes back; a final exit code never changes; nothing is
//! called RUNNING that never ran, nor STOPPED while a process of it lives; no two tasks hold one host port. It outlives
//! crashes of the agent, so all this holds across them too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::boundary::store::Change;
use crate::domain::host::ResourceDemand;
use crate::domain::ids::{ContainerName, TaskArn};
use crate::domain::port_mapping::Protocol;
use crate::domain::status::{ContainerStatus, DesiredStatus, TaskStatus};
use crate::domain::task::{KnownContainer, Task};

use super::super::memory_store::MemoryStore;
use super::super::world::World;

/// Looks at rows after each commit. Clones are the same witness.
#[derive(Clone)]
pub(super) struct Witness {
    world: World,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    rows: BTreeMap<TaskArn, Task>,
    /// Final exit codes by task, container and attempt, once committed, that a power loss took from the rows.
    lost_codes: BTreeMap<(TaskArn, ContainerName, u32), i64>,
    /// Tasks that were committed as stopped before a power loss took that, with the starts that there were.
    lost_stops: BTreeMap<TaskArn, u32>,
    wrong: Vec<String>,
}

impl Witness {
    pub(super) fn new(world: World) -> Self {
        Self {
            world,
            seen: Arc::default(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it has seen that must never be.
    pub(super) fn wrong(&self) -> Vec<String> {
        self.seen().wrong.clone()
    }

    /// The rows are lost: what comes next is not measured by them.
    pub(super) fn forget_rows(&self) {
        self.seen().rows.clear();
    }

    /// The power was lost: the rows are an earlier state. What had become of a container by then has been told, so it
    /// must not become anything else.
    pub(super) fn power_is_lost(&self, store: &MemoryStore) {
        let rows = store.tasks().into_iter();
        let rows: BTreeMap<TaskArn, Task> = rows.map(|task| (task.arn().clone(), task)).collect();
        let mut seen = self.seen();
        let lost = final_codes(&seen.rows);
        seen.lost_codes.extend(lost);
        let stopped = seen.rows.iter();
        let stopped = stopped.filter(|(_, task)| task.known.status == TaskStatus::Stopped);
        let stops: Vec<_> = stopped
            .map(|(arn, _)| (arn.clone(), self.starts(arn)))
            .collect();
        seen.lost_stops.extend(stops);
        seen.rows = rows;
    }

    /// How often containers of the task that are there have been started.
    fn starts(&self, arn: &TaskArn) -> u32 {
        let containers = self.world.containers().into_iter();
        let own = containers.filter(|container| container.task == *arn);
        own.map(|container| container.starts).sum()
    }

    /// Of a task that was told as stopped, and of which the rows may know nothing any more.
    fn started_again(&self, arn: &TaskArn) -> bool {
        let starts = self.seen().lost_stops.get(arn).copied();
        let containers = self.world.containers();
        let mut own = containers.iter().filter(|found| found.task == *arn);
        let outside = own.any(|found| self.world.was_started_outside(arn, &found.name));
        starts.is_some_and(|starts| self.starts(arn) > starts) && !outside
    }

    /// A commit has been tried; what of it is durable is in the rows.
    pub(super) fn committed(&self, store: &MemoryStore, changes: &[Change]) {
        let touched: BTreeSet<&TaskArn> = changes.iter().filter_map(task_of).collect();
        let mut wrong = Vec::new();
        for arn in touched {
            let Some(task) = store.task(arn) else {
                self.seen().rows.remove(arn);
                continue;
            };
            let before = self.seen().rows.insert(arn.clone(), task.clone());
            let mut compare = Compare {
                world: &self.world,
                arn,
                wrong: &mut wrong,
            };
            compare.tasks(before.as_ref(), &task);
            if self.started_again(arn) {
                wrong.push(format!(
                    "{arn} was STOPPED before the power was lost, and was started again"
                ));
            }
            for (key, code) in final_codes([(arn, &task)]) {
                let (_, name, _) = &key;
                if let Some(told) = self.seen().lost_codes.get(&key)
                    && *told != code
                    && !self.world.was_started_outside(arn, name)
                {
                    wrong.push(format!(
                        "the final exit code of {name} of {arn} was {told} before the power was lost, and is {code}"
                    ));
                }
            }
        }
        if !changes.is_empty() {
            wrong.extend(shared_ports(&store.tasks()));
        }
        self.seen().wrong.extend(wrong);
    }
}

/// Of every container that has one.
fn final_codes<'a>(
    rows: impl IntoIterator<Item = (&'a TaskArn, &'a Task)>,
) -> BTreeMap<(TaskArn, ContainerName, u32), i64> {
    let containers = rows.into_iter().flat_map(|(arn, task)| {
        let containers = task.known.containers.iter();
        containers.map(move |(name, known)| (arn, name, known))
    });
    containers
        .filter_map(|(arn, name, known)| {
            let code = final_code(known)?;
            Some(((arn.clone(), name.clone(), known.attempt), code))
        })
        .collect()
}

fn final_code(known: &KnownContainer) -> Option<i64> {
    let exit = known.exit.as_ref();
    exit.and_then(|exit| exit.code)
        .filter(|_| known.status == ContainerStatus::Stopped)
}

fn task_of(change: &Change) -> Option<&TaskArn> {
    match change {
        Change::Desired(desired) => Some(&desired.arn),
        Change::Known(arn, _) | Change::Forget(arn) => Some(arn),
        Change::Image(_) | Change::ForgetImage(_) | Change::Event(_) | Change::Draining(_) => None,
    }
}

/// Two rows of one task, one after the other.
struct Compare<'a> {
    world: &'a World,
    arn: &'a TaskArn,
    wrong: &'a mut Vec<String>,
}

impl Compare<'_> {
    fn tasks(&mut self, before: Option<&Task>, now: &Task) {
        let arn = self.arn;
        if let Some(before) = before {
            let (was, is) = (before.known.status, now.known.status);
            if is < was {
                self.wrong
                    .push(format!("{arn} went back from {was} to {is}"));
            }
            if before.desired.status == DesiredStatus::Stopped
                && now.desired.status != DesiredStatus::Stopped
            {
                self.wrong
                    .push(format!("the wish to stop {arn} was taken back"));
            }
            for name in before.known.containers.keys() {
                if !now.known.containers.contains_key(name) {
                    self.wrong.push(format!("{name} of {arn} was forgotten"));
                }
            }
        }
        let nothing = KnownContainer::default();
        for (name, known) in &now.known.containers {
            let old = before.and_then(|task| task.known.containers.get(name));
            let subject = format!("{name} of {arn}");
            self.containers(&subject, old.unwrap_or(&nothing), known);
            let by_hand = self.world.was_started_outside(arn, name);
            let turned = |status| known.status == status && old.is_none_or(|o| o.status != status);
            if turned(ContainerStatus::Running) && !self.world.was_started(arn, name) {
                self.wrong
                    .push(format!("{subject} is called RUNNING and never ran"));
            }
            if turned(ContainerStatus::Stopped) && self.world.lives(arn, name) && !by_hand {
                self.wrong
                    .push(format!("{subject} is called STOPPED and lives"));
            }
        }
    }

    fn containers(&mut self, subject: &str, before: &KnownContainer, now: &KnownContainer) {
        if now.status < before.status {
            let (was, is) = (before.status, now.status);
            self.wrong
                .push(format!("{subject} went back from {was} to {is}"));
        }
        if let Some(told) = final_code(before)
            && final_code(now) != Some(told)
        {
            let now = final_code(now);
            self.wrong.push(format!(
                "the final exit code of {subject} was {told} and is {now:?}"
            ));
        }
    }
}

/// Host ports that two tasks hold at once.
fn shared_ports(tasks: &[Task]) -> Vec<String> {
    let mut holders: BTreeMap<(u16, Protocol), &TaskArn> = BTreeMap::new();
    let mut wrong = Vec::new();
    for task in tasks {
        for (port, protocol) in ports(task) {
            if let Some(other) = holders.insert((port, protocol), task.arn())
                && other != task.arn()
            {
                let arn = task.arn();
                wrong.push(format!(
                    "host port {port}/{protocol} is held by {other} and {arn}"
                ));
            }
        }
    }
    wrong
}

/// Host ports that the task holds: those it asks for, and those chosen for its ranges.
fn ports(task: &Task) -> BTreeSet<(u16, Protocol)> {
    if task.known.admitted_at.is_none() || task.known.status == TaskStatus::Stopped {
        return BTreeSet::new();
    }
    let demand = ResourceDemand::of(&task.desired.definition, &task.desired.options);
    let mut ports = demand.ports;
    for known in task.known.containers.values() {
        for chosen in &known.reservations {
            let all = (chosen.first_host_port..=u16::MAX).take(usize::from(chosen.count));
            ports.extend(all.map(|port| (port, chosen.protocol)));
        }
    }
    ports
}
