//! What a scenario shows: the agent's view in few words, without instants and ids.

use std::time::Duration;

use berth::boundary::Clock;
use berth::domain::names::{container_name, volume_name};
use berth::domain::status::{ContainerStatus, DesiredStatus, Health};
use berth::domain::task::{KnownContainer, Task, TaskCondition, TaskEvent};
use berth::testing::clock::EPOCH;
use berth::testing::sim::arn;

use super::play::Stage;
use super::step::Show;

/// Creations of a container that a script may come to.
const ATTEMPTS: u32 = 8;

/// Events that are not further apart are of one moment.
const MOMENT: Duration = Duration::from_millis(50);

/// Containers that a script may make.
const CONTAINERS: u32 = 200;

impl Stage {
    pub(super) fn show(&mut self, what: &Show) {
        let lines = match what {
            Show::Tasks => self.shown_tasks(),
            Show::Why => self.shown_waits(),
            Show::Events(task) => self.shown_events(task),
            Show::Containers => self.shown_containers(),
            Show::Left => self.sim.left_over(),
        };
        if lines.is_empty() {
            self.say("  nothing");
        }
        for line in lines {
            self.say(format!("  {line}"));
        }
    }

    fn shown_tasks(&self) -> Vec<String> {
        let snapshot = self.sim.snapshot();
        let mut lines = Vec::new();
        for view in snapshot.tasks.values() {
            lines.push(head(&view.task));
            for (name, known) in &view.task.known.containers {
                lines.push(format!("  {name} {}", container(known)));
            }
        }
        lines
    }

    /// As `why` without a task: what is wrong around all tasks, then what each waits for.
    fn shown_waits(&self) -> Vec<String> {
        let snapshot = self.sim.snapshot();
        let mut lines = Vec::new();
        if let Some(error) = &snapshot.engine.runtime_error {
            lines.push(format!("Docker does not answer: {error}"));
        }
        if let Some(error) = &snapshot.engine.store_error {
            lines.push(format!("state cannot be written: {error}"));
        }
        lines.extend(snapshot.engine.damage.iter().cloned());
        for view in snapshot.tasks.values() {
            lines.push(head(&view.task));
            for condition in &view.task.known.conditions {
                lines.extend(self.wait(condition));
            }
        }
        lines
    }

    fn wait(&self, condition: &TaskCondition) -> [String; 2] {
        let now = self.sim.clock.now();
        let of = condition.container.as_ref();
        let of = of.map_or_else(|| "task".to_owned(), ToString::to_string);
        let age = span(now.since(condition.since));
        let next = condition.next_at.map_or_else(String::new, |at| {
            format!(", at the latest in {}", span(at.since(now)))
        });
        let deadline = condition.deadline.map_or_else(String::new, |at| {
            format!(", given up in {}", span(at.since(now)))
        });
        let (cause, message) = (condition.cause, &condition.message);
        [
            format!("  {of} {cause} for {age}: {message}"),
            format!("    then {}{next}{deadline}", condition.next_action),
        ]
    }

    /// By moments: what happens to several containers at once has no order.
    fn shown_events(&self, task: &str) -> Vec<String> {
        let arn = self.arn(task);
        let mut events: Vec<TaskEvent> = self
            .sim
            .store
            .all_events()
            .into_iter()
            .map(|s| s.event)
            .collect();
        events.retain(|event| event.arn == arn);
        let mut lines = Vec::new();
        for moment in events.chunk_by(|one, next| next.at.since(one.at) < MOMENT) {
            let began = moment[0].at.since(EPOCH).as_millis();
            lines.push(format!("at {}s", (began + 500) / 1000));
            let mut moment = moment.to_vec();
            moment.sort_by(|one, other| one.container.cmp(&other.container));
            lines.extend(moment.iter().map(|event| {
                let of = event.container.as_ref();
                let of = of.map_or_else(|| "task".to_owned(), ToString::to_string);
                format!("  {of} {}: {}", event.kind, event.message)
            }));
        }
        lines
    }

    fn shown_containers(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .sim
            .world
            .containers()
            .iter()
            .map(|container| {
                let (name, state) = (&container.spec.docker_name, container.state.as_str());
                let starts = container.starts;
                format!("{name} {state}, starts {starts}")
            })
            .map(|line| self.in_words(&line))
            .collect();
        lines.sort();
        lines
    }

    /// Ids and Docker names become what the script calls them.
    pub(super) fn in_words(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for n in 1..CONTAINERS {
            text = text.replace(&format!("{n:064x}"), &format!("docker-id-{n}"));
        }
        for (n, (task, definition)) in (1..).zip(&self.tasks) {
            let arn = arn(n);
            let (family, revision) = (&definition.family, definition.revision);
            for container in &definition.containers {
                for attempt in 0..ATTEMPTS {
                    let name =
                        container_name(family, revision, arn.task_id(), &container.name, attempt);
                    let words = match attempt {
                        0 => format!("{task}/{}", container.name),
                        _ => format!("{task}/{}#{attempt}", container.name),
                    };
                    text = text.replace(&name, &words);
                }
            }
            for volume in &definition.volumes {
                let name = volume_name(family, revision, arn.task_id(), &volume.name);
                text = text.replace(&name, &format!("{task}/{}", volume.name));
            }
            text = text.replace(arn.as_str(), task);
            text = text.replace(arn.task_id().as_str(), task);
        }
        text
    }
}

fn head(task: &Task) -> String {
    let (arn, status) = (task.arn(), task.known.status);
    let wanted = match task.effective_desired() {
        DesiredStatus::Running => "RUNNING",
        DesiredStatus::Stopped => "STOPPED",
    };
    let wanted = if status.wire() == wanted {
        String::new()
    } else {
        format!(", should be {wanted}")
    };
    let asked = task.desired.stop_reason.as_ref();
    let found = task.known.stop.as_ref().map(|stop| &stop.reason);
    let reason = found.or(asked);
    let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    format!("{arn} {status}{wanted}{reason}")
}

fn container(known: &KnownContainer) -> String {
    let mut words = vec![known.status.to_string()];
    if let Some(exit) = &known.exit {
        let code = exit.code.map_or("unknown".to_owned(), |c| c.to_string());
        let final_one = known.status == ContainerStatus::Stopped;
        let which = if final_one { "exit" } else { "last exit" };
        words.push(format!("{which} {code}"));
    }
    if known.restart_count > 0 {
        words.push(format!("restarts {}", known.restart_count));
    }
    if known.health != Health::Unknown {
        words.push(known.health.to_string());
    }
    if known.degraded_log {
        words.push("fallback log driver".to_owned());
    }
    let words = words.join(", ");
    match &known.reason {
        Some(reason) => format!("{words} ({reason})"),
        None => words,
    }
}

/// `45s`, `3m`, `2h30m`: whole seconds, so that a scenario does not depend on less.
fn span(time: Duration) -> String {
    let secs = time.as_secs();
    let parts = [(secs / 3600, "h"), (secs / 60 % 60, "m"), (secs % 60, "s")];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = parts
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if words.is_empty() {
        return "0s".to_owned();
    }
    words.concat()
}
