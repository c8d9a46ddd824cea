//! The promises of design.md section 2 as checks over what happened in the world and what the rows say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::boundary::Clock;
use crate::domain::ids::{ContainerName, TaskArn, TaskId};
use crate::domain::status::{ContainerStatus, DesiredStatus, TaskStatus};
use crate::domain::task::{Cause, Exit, ResourceKey, ResourceStatus, Task};
use crate::reconcile::roles;

use super::agent::Simulation;

/// How far a deadline may lie back before somebody should have acted on it: a list, and a commit that is tried again.
const OVERDUE: Duration = Duration::from_secs(10);

/// Longest wait of the engine before it tries again.
const LONGEST_BACK_OFF: Duration = Duration::from_mins(1);

/// Whether a task is where it should be.
fn is_there(task: &Task) -> bool {
    match task.effective_desired() {
        DesiredStatus::Running => task.known.status == TaskStatus::Running,
        DesiredStatus::Stopped => task.known.status == TaskStatus::Stopped && !task.desired.remove,
    }
}

impl Simulation {
    /// Everything that must hold at every instant. Empty = it does.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = self.world.violations();
        wrong.extend(self.witness.wrong());
        wrong.extend(self.check_explained());
        wrong.extend(self.check_roles());
        let ends = self.world.ends();
        let live: Vec<(TaskArn, ContainerName)> = self
            .world
            .containers()
            .into_iter()
            .filter(|container| container.state.may_live())
            .map(|container| (container.task, container.name))
            .collect();
        for task in self.store.tasks() {
            let arn = task.arn();
            for (name, known) in &task.known.containers {
                let lives = live.contains(&(arn.clone(), name.clone()));
                let restarted_by_hand = self.world.was_started_outside(arn, name);
                if known.status == ContainerStatus::Stopped && lives && !restarted_by_hand {
                    wrong.push(format!("{name} of {arn} is reported STOPPED and lives"));
                }
            }
            check_status(&task, &mut wrong);
            if !self.agent_may_stop(&task) {
                let stopped = ends.iter().any(|(end_arn, _, _)| end_arn == arn);
                let given_up = self.given_up(arn);
                let mut containers = task.known.containers.iter();
                let asked = containers.any(|(name, known)| {
                    known.stop_requested_at.is_some() && !given_up.contains(name)
                });
                if asked && !stopped {
                    wrong.push(format!("{arn} was stopped though nothing asked for it"));
                }
            }
        }
        wrong
    }

    /// The credentials of every task that has not stopped can be asked for.
    fn check_roles(&self) -> Vec<String> {
        if !self.agent_runs() {
            return Vec::new();
        }
        let told = self.roles.wanted();
        let snapshot = self.snapshot();
        let tasks = snapshot.tasks.values().map(|view| &view.task);
        let wanted = tasks.flat_map(|task| roles::wanted(task, &self.settings));
        wanted
            .filter(|grant| !told.contains(grant))
            .map(|grant| format!("nobody keeps the {:?} role of {}", grant.kind, grant.owner))
            .collect()
    }

    fn agent_may_stop(&self, task: &Task) -> bool {
        self.stop_asked.contains(task.arn()) || task.known.stop.is_some()
    }

    /// Containers of the task whose start failed too often: they are stopped should they run all the same.
    fn given_up(&self, arn: &TaskArn) -> BTreeSet<ContainerName> {
        let events = self.store.all_events().into_iter();
        let of_task = events.filter(|stored| stored.event.arn == *arn);
        let given_up = of_task.filter(|stored| stored.event.kind == "GivenUp");
        given_up
            .filter_map(|stored| stored.event.container)
            .collect()
    }

    /// What must hold once nothing goes wrong any more and time has passed. Empty = it does.
    pub fn check_converged(&self) -> Vec<String> {
        self.check_converged_but(&BTreeSet::new())
    }

    /// The same of all tasks but some.
    pub fn check_converged_but(&self, but: &BTreeSet<TaskArn>) -> Vec<String> {
        let mut wrong = self.check();
        let tasks: BTreeMap<TaskArn, Task> = self
            .store
            .tasks()
            .into_iter()
            .map(|task| (task.arn().clone(), task))
            .collect();
        for task in tasks.values().filter(|task| !but.contains(task.arn())) {
            let known = &task.known;
            let arrived = match task.effective_desired() {
                DesiredStatus::Running => {
                    known.status == TaskStatus::Running || !known.conditions.is_empty()
                }
                DesiredStatus::Stopped => known.status == TaskStatus::Stopped,
            };
            if !arrived {
                wrong.push(format!(
                    "{} is {} and says nothing: {known:?}",
                    task.arn(),
                    known.status
                ));
            }
            if task.desired.remove {
                wrong.push(format!(
                    "{} was to be removed and is still there: {known:?}",
                    task.arn()
                ));
            }
        }
        let containers = self.world.containers();
        for container in containers.iter().filter(|c| !but.contains(&c.task)) {
            let known = tasks
                .get(&container.task)
                .and_then(|task| task.known.containers.get(&container.name));
            match known {
                None => wrong.push(format!(
                    "container {} belongs to nothing",
                    container.spec.docker_name
                )),
                Some(known)
                    if container.state.may_live() != (known.status == ContainerStatus::Running) =>
                {
                    wrong.push(format!(
                        "container {} is {:?} and known as {}",
                        container.spec.docker_name, container.state, known.status
                    ));
                }
                Some(_) => {}
            }
        }
        wrong.extend(self.check_exits(&tasks));
        wrong.extend(self.check_resources(&tasks));
        wrong
    }

    /// Tasks that wait for a call, of all but some: nothing holds up calls when nothing is wrong.
    pub fn held_up_but(&self, but: &BTreeSet<TaskArn>) -> Vec<String> {
        const CALLS: [Cause; 4] = [
            Cause::CallOutstanding,
            Cause::Pulling,
            Cause::BackingOff,
            Cause::Quarantined,
        ];
        let tasks = self.store.tasks();
        let others = tasks.iter().filter(|task| !but.contains(task.arn()));
        let waits = others.flat_map(|task| {
            let held_up = task.known.conditions.iter();
            let held_up = held_up.filter(|condition| CALLS.contains(&condition.cause));
            held_up.map(|condition| format!("{} is held up: {condition:?}", task.arn()))
        });
        waits.collect()
    }

    /// Every volume and cgroup of the host is one that a row knows of.
    fn check_resources(&self, tasks: &BTreeMap<TaskArn, Task>) -> Vec<String> {
        let of_rows = |wanted: fn(&ResourceKey) -> bool| -> BTreeSet<&TaskId> {
            let has = |task: &&Task| {
                let mut resources = task.known.resources.iter();
                resources.any(|(key, known)| wanted(key) && known.status != ResourceStatus::Removed)
            };
            let owners = tasks.values().filter(has);
            owners.map(|task| task.arn().task_id()).collect()
        };
        let cgroups = of_rows(|key| matches!(key, ResourceKey::Cgroup));
        let volumes = of_rows(|key| matches!(key, ResourceKey::Volume(_)));
        let mut wrong: Vec<String> = self
            .host
            .cgroups()
            .into_iter()
            .filter(|cgroup| !cgroups.contains(cgroup))
            .map(|cgroup| format!("cgroup {cgroup} belongs to nothing"))
            .collect();
        // Simulated tasks have one volume each.
        if self.world.volumes().len() > volumes.len() {
            let left = self.world.volumes();
            wrong.push(format!("volumes {left:?} are more than rows know of"));
        }
        wrong
    }

    /// What is left on the host and in the rows: nothing, once every task was removed.
    pub fn left_over(&self) -> Vec<String> {
        let containers = self.world.containers();
        let containers = containers.iter().map(|container| {
            let name = &container.spec.docker_name;
            format!("container {name} is left")
        });
        let volumes = self.world.volumes();
        let volumes = volumes.iter().map(|name| format!("volume {name} is left"));
        let cgroups = self.host.cgroups();
        let cgroups = cgroups.iter().map(|id| format!("cgroup {id} is left"));
        let rows = self.store.tasks();
        let rows = rows.iter().map(|task| {
            let arn = task.arn();
            let waits = task.known.conditions.iter();
            let waits: Vec<_> = waits.map(|condition| condition.cause.as_str()).collect();
            format!("the row of {arn} is left, which waits for {waits:?}")
        });
        containers
            .chain(volumes)
            .chain(cgroups)
            .chain(rows)
            .collect()
    }

    /// Every task that is not where it should be says what it waits for and what happens next, and nothing that it
    /// waits for is overdue. Where rows cannot be written or Docker does not answer, the engine's view says that
    /// instead.
    fn check_explained(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if !self.agent_runs() {
            return wrong;
        }
        let snapshot = self.snapshot();
        let engine = &snapshot.engine;
        if engine.relisted_at.is_none() || engine.store_error.is_some() {
            return wrong;
        }
        // Instants from before somebody set the clock mean nothing until the longest back-off is over.
        let set = self.clock.was_set_within(LONGEST_BACK_OFF);
        let now = self.clock.now();
        for view in snapshot.tasks.values() {
            let (arn, known) = (view.task.arn(), &view.task.known);
            if !is_there(&view.task) && known.conditions.is_empty() {
                wrong.push(format!(
                    "{arn} is {} and says nothing: {known:?}",
                    known.status
                ));
            }
            for condition in &known.conditions {
                let cause = condition.cause;
                if condition.message.is_empty() || condition.next_action.is_empty() {
                    wrong.push(format!("{arn} waits for {cause} without words"));
                }
                let due = [condition.deadline, condition.next_at];
                let overdue = due.into_iter().flatten().min();
                let overdue = overdue.filter(|at| now.since(*at) > OVERDUE && !set);
                if overdue.is_some() && engine.runtime_error.is_none() {
                    wrong.push(format!("{arn} waits and is overdue: {condition:?}"));
                }
            }
        }
        wrong
    }

    /// Every final exit is in the timeline once, with the code that really was.
    fn check_exits(&self, tasks: &BTreeMap<TaskArn, Task>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut finals: BTreeMap<(TaskArn, ContainerName), u32> = BTreeMap::new();
        for stored in self.store.all_events() {
            if stored.event.kind == "Removed" {
                // What comes after is another life: put again, or left behind by a call of a dead agent.
                finals.retain(|(arn, _), count| *arn != stored.event.arn || *count > 1);
            }
            if let (Some(container), "Stopped") =
                (stored.event.container.clone(), stored.event.kind.as_str())
            {
                let count = finals
                    .entry((stored.event.arn.clone(), container))
                    .or_default();
                *count = count.saturating_add(1);
            }
        }
        for ((arn, name), count) in &finals {
            if *count != 1 {
                wrong.push(format!("the end of {name} of {arn} was told {count} times"));
            }
        }
        let ends = self.world.ends();
        for task in tasks.values() {
            for (name, known) in &task.known.containers {
                let own = ends
                    .iter()
                    .filter(|(arn, ended, _)| arn == task.arn() && ended == name);
                let own: Vec<&Exit> = own.map(|(_, _, exit)| exit).collect();
                let Some(truth) = own.last() else {
                    continue;
                };
                let told = known.exit.as_ref().and_then(|exit| exit.code);
                let final_one = known.status == ContainerStatus::Stopped;
                let vanished = self.world.was_removed_outside(task.arn(), name);
                let by_hand = self.world.was_started_outside(task.arn(), name);
                // Whether its last end was heard of before it was removed is chance; that there was such an end is none.
                let unheard =
                    vanished && (told.is_none() || own.iter().any(|exit| exit.code == told));
                if final_one && !unheard && !by_hand && told != truth.code {
                    wrong.push(format!(
                        "{name} of {} ended with {:?}, told {:?}",
                        task.arn(),
                        truth.code,
                        told
                    ));
                }
            }
        }
        wrong
    }
}

/// A task that runs has all its essential containers running.
fn check_status(task: &Task, wrong: &mut Vec<String>) {
    let known = &task.known;
    let stopped = known
        .containers
        .values()
        .filter(|c| c.status == ContainerStatus::Stopped)
        .count();
    if known.status == TaskStatus::Stopped && stopped != known.containers.len() {
        wrong.push(format!("{} is STOPPED and a container is not", task.arn()));
    }
    if known.stopped_at.is_some() != (known.status == TaskStatus::Stopped) {
        wrong.push(format!(
            "{} has a stop time that its status does not explain",
            task.arn()
        ));
    }
}
