//! What really happened, for reports to be compared with, and what must never happen and did.

use std::collections::BTreeSet;

use crate::domain::depends_on::{Condition, Dependency};
use crate::domain::ids::{ContainerName, TaskArn};
use crate::domain::spec::ContainerSpec;
use crate::domain::task::Exit;

use super::model::{Container, Inner, Who, World};

/// The past of a world.
#[derive(Debug, Default)]
pub(super) struct History {
    /// What must never happen and did.
    pub(super) violations: Vec<String>,
    /// Every end of a process, in order.
    pub(super) ends: Vec<(TaskArn, ContainerName, Exit)>,
    /// Containers that ever ran.
    pub(super) was_started: BTreeSet<Who>,
    /// Containers that ever were healthy.
    pub(super) was_healthy: BTreeSet<Who>,
    /// Containers that somebody else started.
    pub(super) started_outside: BTreeSet<Who>,
    /// Containers that somebody else removed.
    pub(super) removed_outside: BTreeSet<Who>,
}

impl Inner {
    /// Never two live containers of one (task, container).
    pub(super) fn look_for_twins(&mut self, container: &Container) {
        let twins = self
            .containers
            .values()
            .filter(|other| other.who() == container.who() && other.state.may_live());
        if twins.count() > 1 {
            let (task, name) = container.who();
            let words = format!("two live containers of {name} in {task}");
            self.history.violations.push(words);
        }
    }

    /// No container is made before the conditions of its `dependsOn` have come true.
    pub(super) fn look_at_order(&mut self, task: &TaskArn, spec: &ContainerSpec) {
        let early: Vec<String> = spec
            .definition
            .depends_on
            .iter()
            .filter(|edge| !self.came_true(task, edge))
            .map(|edge| {
                let name = &spec.definition.name;
                let Dependency {
                    container,
                    condition,
                } = edge;
                format!("{name} of {task} was made before {container} was {condition}")
            })
            .collect();
        self.history.violations.extend(early);
    }

    fn came_true(&self, task: &TaskArn, edge: &Dependency) -> bool {
        let who = (task.clone(), edge.container.clone());
        let history = &self.history;
        let lives = self
            .containers
            .values()
            .any(|other| other.who() == who && other.state.may_live());
        let ended = |good: fn(&Exit) -> bool| {
            let by_hand = history.started_outside.contains(&who);
            let mut ends = history.ends.iter();
            (!lives || by_hand)
                && ends.any(|(task, name, exit)| *task == who.0 && *name == who.1 && good(exit))
        };
        match edge.condition {
            Condition::Create => true,
            Condition::Start => history.was_started.contains(&who),
            Condition::Complete => ended(|_| true),
            Condition::Success => ended(|exit| exit.code == Some(0)),
            Condition::Healthy => history.was_healthy.contains(&who),
        }
    }
}

impl World {
    /// Everything that must never happen and did.
    pub fn violations(&self) -> Vec<String> {
        self.lock().history.violations.clone()
    }

    /// Every end of a process so far.
    pub fn ends(&self) -> Vec<(TaskArn, ContainerName, Exit)> {
        self.tick();
        self.lock().history.ends.clone()
    }

    /// Whether that container ever ran.
    pub fn was_started(&self, task: &TaskArn, name: &ContainerName) -> bool {
        let who = (task.clone(), name.clone());
        self.lock().history.was_started.contains(&who)
    }

    /// Whether a process of that container lives.
    pub fn lives(&self, task: &TaskArn, name: &ContainerName) -> bool {
        self.tick();
        let inner = self.lock();
        let mut own = inner
            .containers
            .values()
            .filter(|container| container.task == *task && container.name == *name);
        own.any(|container| container.state.may_live())
    }

    /// Whether somebody else ever started that container.
    pub fn was_started_outside(&self, task: &TaskArn, name: &ContainerName) -> bool {
        let who = (task.clone(), name.clone());
        self.lock().history.started_outside.contains(&who)
    }

    /// Whether somebody else ever removed that container, so that nobody can look at how it ended.
    pub fn was_removed_outside(&self, task: &TaskArn, name: &ContainerName) -> bool {
        let who = (task.clone(), name.clone());
        self.lock().history.removed_outside.contains(&who)
    }
}
