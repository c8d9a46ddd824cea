//! What of a task is new since last looked: lines for people, output to follow, pulls to show. Pure.
//!
//! **Invariant.** Looking at the same state twice says nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ids::{ContainerName, DockerId};
use crate::domain::runtime::PullProgress;
use crate::domain::status::{ContainerStatus, Health, TaskStatus};
use crate::domain::task::{Cause, KnownContainer, Step, TaskCondition};
use crate::reconcile::snapshot::TaskView;

/// What was shown so far.
#[derive(Debug, Default)]
pub struct View {
    containers: BTreeMap<ContainerName, KnownContainer>,
    pulling: BTreeSet<ContainerName>,
    waits: BTreeSet<(Option<ContainerName>, String)>,
    stop_shown: bool,
}

/// What is new.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Lines in order.
    pub lines: Vec<StateLine>,
    /// Runs of containers whose output is to be followed from now on.
    pub follow: Vec<Run>,
    /// Pulls under way, all of them each time.
    pub pulls: BTreeMap<ContainerName, Option<PullProgress>>,
    /// Every container has stopped.
    pub stopped: bool,
}

/// One line about a container or, without one, the task.
#[derive(Debug, PartialEq, Eq)]
pub struct StateLine {
    /// Which container.
    pub container: Option<ContainerName>,
    /// What happened.
    pub text: String,
}

/// One run of a container: a restart is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which container.
    pub container: ContainerName,
    /// Docker's id.
    pub id: DockerId,
}

impl View {
    /// Compares the task with what was shown, and remembers it.
    pub fn update(&mut self, view: &TaskView) -> Update {
        let mut update = Update {
            pulls: pulls(view),
            stopped: view.task.known.status == TaskStatus::Stopped,
            ..Update::default()
        };
        self.pulls_begun(view, &mut update);
        for (name, known) in &view.task.known.containers {
            let before = self.containers.get(name).cloned().unwrap_or_default();
            if !name.is_internal() {
                container_lines(name, &before, known, &mut update.lines);
                update.follow.extend(new_run(name, &before, known));
            }
            self.containers.insert(name.clone(), known.clone());
        }
        if let Some(stop) = view.task.known.stop.as_ref().filter(|_| !self.stop_shown) {
            self.stop_shown = true;
            update.lines.push(StateLine {
                container: None,
                text: format!("stopping: {}", stop.reason.message),
            });
        }
        self.waits(&view.task.known.conditions, &mut update.lines);
        update
    }

    fn pulls_begun(&mut self, view: &TaskView, update: &mut Update) {
        let now: BTreeSet<ContainerName> = update.pulls.keys().cloned().collect();
        for name in now.difference(&self.pulling) {
            let image = view.task.desired.definition.container(name);
            update.lines.push(StateLine {
                container: Some(name.clone()),
                text: match image {
                    Some(container) => format!("pulling {}", container.image),
                    None => "pulling".to_owned(),
                },
            });
        }
        self.pulling = now;
    }

    fn waits(&mut self, conditions: &[TaskCondition], lines: &mut Vec<StateLine>) {
        let now: BTreeSet<(Option<ContainerName>, String)> = conditions
            .iter()
            .filter(|condition| is_news(condition.cause))
            .map(|condition| (condition.container.clone(), condition.message.clone()))
            .collect();
        for (container, message) in now.difference(&self.waits) {
            lines.push(StateLine {
                container: container.clone(),
                text: format!("waiting: {message}"),
            });
        }
        self.waits = now;
    }
}

/// Whether somebody who watches a start wants to read of it; the rest shows by itself or passes in an instant.
fn is_news(cause: Cause) -> bool {
    match cause {
        Cause::RuntimeUnavailable
        | Cause::StoreUnavailable
        | Cause::WaitingForResources
        | Cause::WaitingForPort
        | Cause::InstanceDraining
        | Cause::WaitingForCredentials
        | Cause::BackingOff
        | Cause::Quarantined
        | Cause::Paused
        | Cause::StateDamaged => true,
        Cause::Pulling
        | Cause::WaitingForPull
        | Cause::CallOutstanding
        | Cause::WaitingForDependency
        | Cause::WaitingForResource
        | Cause::WaitingForDependents
        | Cause::Stopping
        | Cause::Unhealthy
        | Cause::WaitingForReport
        | Cause::WaitingForCleanup
        | Cause::CleaningUp => false,
    }
}

fn pulls(view: &TaskView) -> BTreeMap<ContainerName, Option<PullProgress>> {
    view.in_flight
        .iter()
        .filter(|step| step.step == Step::Pull)
        .filter_map(|step| Some((step.container.clone()?, step.progress)))
        // The pause container's image is built in.
        .filter(|(container, _)| !container.is_internal())
        .collect()
}

fn new_run(name: &ContainerName, before: &KnownContainer, known: &KnownContainer) -> Option<Run> {
    known.started_at?;
    let id = known.docker_id.clone()?;
    let same = before.started_at.is_some()
        && before.docker_id.as_ref() == Some(&id)
        && before.restart_count == known.restart_count;
    (!same).then(|| Run {
        container: name.clone(),
        id,
    })
}

fn container_lines(
    name: &ContainerName,
    before: &KnownContainer,
    known: &KnownContainer,
    lines: &mut Vec<StateLine>,
) {
    let mut say = |text: String| {
        lines.push(StateLine {
            container: Some(name.clone()),
            text,
        });
    };
    if before.status < ContainerStatus::Running && known.started_at.is_some() {
        say("started".to_owned());
    }
    if known.restart_count != before.restart_count {
        let exit = known.exit.as_ref().map(|_| exit_text(known));
        let exit = exit.unwrap_or_else(|| "exited".to_owned());
        say(format!("{exit}, restart {}", known.restart_count));
    }
    if known.health != before.health {
        match known.health {
            Health::Unknown => {}
            Health::Healthy => say("healthy".to_owned()),
            Health::Unhealthy => say("unhealthy".to_owned()),
        }
    }
    if before.status != ContainerStatus::Stopped && known.status == ContainerStatus::Stopped {
        say(exit_text(known));
    }
}

fn exit_text(known: &KnownContainer) -> String {
    let ended = known.exit.as_ref().filter(|_| known.started_at.is_some());
    let mut text = match ended.map(|exit| exit.code) {
        Some(Some(code)) => format!("exited with code {code}"),
        Some(None) => "exited, its code is not known".to_owned(),
        None => "not started".to_owned(),
    };
    if ended.is_some_and(|exit| exit.oom_killed) {
        text.push_str(" (out of memory)");
    }
    if let Some(reason) = &known.reason {
        text.push_str(": ");
        text.push_str(&reason.message);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ended, name, task};
    use super::*;
    use crate::domain::ids::UnixMillis;
    use crate::domain::reason::{Reason, ReasonName};
    use crate::domain::task::{StopCause, Task};
    use crate::reconcile::snapshot::InFlight;

    fn seen(task: Task) -> TaskView {
        TaskView {
            task,
            in_flight: Vec::new(),
            planned: Vec::new(),
            timeline: std::sync::Arc::default(),
        }
    }

    fn lines(update: &Update) -> Vec<String> {
        update
            .lines
            .iter()
            .map(|line| match &line.container {
                Some(container) => format!("{container} {}", line.text),
                None => line.text.clone(),
            })
            .collect()
    }

    fn running(id: char) -> KnownContainer {
        KnownContainer {
            status: ContainerStatus::Running,
            docker_id: DockerId::parse(&id.to_string().repeat(64)).ok(),
            started_at: Some(UnixMillis(1)),
            ..KnownContainer::default()
        }
    }

    #[test]
    fn what_was_shown_is_not_shown_again() {
        let mut view = View::default();
        let task = ended(&[Some((3, 5)), None]);
        let first = view.update(&seen(task.clone()));
        assert_eq!(
            lines(&first),
            ["app started", "app exited with code 3", "web not started"]
        );
        assert!(first.stopped);
        assert_eq!(lines(&view.update(&seen(task))), [""; 0]);
    }

    #[test]
    fn a_pull_is_named_when_it_begins_and_shown_while_it_lasts() {
        let mut view = View::default();
        let mut state = seen(task());
        state.in_flight.push(InFlight {
            container: Some(name("app")),
            step: Step::Pull,
            since: UnixMillis(0),
            deadline: None,
            progress: Some(PullProgress::default()),
        });
        let update = view.update(&state);
        assert_eq!(lines(&update), ["app pulling busybox"]);
        assert_eq!(update.pulls.len(), 1);
        assert_eq!(lines(&view.update(&state)), [""; 0]);
        state.in_flight.clear();
        assert!(view.update(&state).pulls.is_empty());
    }

    #[test]
    fn each_run_is_followed_once() {
        let mut view = View::default();
        let mut task = task();
        task.known.containers.insert(name("app"), running('a'));
        task.known
            .containers
            .insert(name("~internal~ecs~pause"), running('b'));
        let update = view.update(&seen(task.clone()));
        assert_eq!(update.follow.len(), 1);
        assert_eq!(update.follow[0].container, name("app"));
        assert!(view.update(&seen(task.clone())).follow.is_empty());
        task.known
            .containers
            .get_mut(&name("app"))
            .expect("app")
            .restart_count = 1;
        let update = view.update(&seen(task));
        assert_eq!(update.follow.len(), 1);
        assert_eq!(lines(&update), ["app exited, restart 1"]);
    }

    #[test]
    fn reasons_and_waits_are_said_in_words() {
        let mut view = View::default();
        let mut task = ended(&[None, None]);
        task.known
            .containers
            .get_mut(&name("app"))
            .expect("app")
            .reason = Some(Reason::new(
            ReasonName::CannotPullContainerError,
            "no such image",
        ));
        task.known.stop = Some(StopCause {
            reason: Reason::new(ReasonName::EssentialContainerExited, "app could not start"),
            at: UnixMillis(1),
        });
        task.known.conditions = [Cause::WaitingForPort, Cause::Stopping]
            .map(|cause| TaskCondition {
                container: None,
                cause,
                message: cause.to_string(),
                since: UnixMillis(1),
                deadline: None,
                next_action: String::new(),
                next_at: None,
            })
            .to_vec();
        assert_eq!(
            lines(&view.update(&seen(task))),
            [
                "app not started: no such image",
                "web not started",
                "stopping: app could not start",
                "waiting: WaitingForPort",
            ]
        );
    }
}
