//! Processes and probes: how they begin, go on with time, and end.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::ids::{DockerId, UnixMillis};
use crate::domain::runtime::{RunState, RuntimeEventKind};
use crate::domain::status::Health;
use crate::domain::task::Exit;

use super::model::{Container, World};

/// When a probe has decided.
const PROBE_TIME: Duration = Duration::from_secs(1);

/// Exit code of a process that SIGKILL ended.
const KILLED: i64 = 137;

impl Container {
    /// When its process ends if nobody does anything, and with which code; a frozen one is only ended by SIGKILL.
    fn due(&self) -> Option<(Instant, i64)> {
        let killed = self.killed_at.map(|at| (at, KILLED));
        let by_itself = self.ends_at.filter(|_| self.state == RunState::Running);
        [killed, by_itself]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    fn is_probed(&self) -> bool {
        self.spec.definition.health_check.is_some() && self.state == RunState::Running
    }
}

impl World {
    /// Lets processes and probes do what is due, and late events come.
    pub fn tick(&self) {
        let (now, wall) = (Instant::now(), self.clock.now());
        let mut due: Vec<(String, Instant, i64)> = Vec::new();
        let mut probed = Vec::new();
        {
            let mut inner = self.lock();
            let unhealthy = inner.unhealthy.clone();
            for (id, container) in &mut inner.containers {
                match container.due() {
                    Some((at, code)) if at <= now => due.push((id.clone(), at, code)),
                    _ => {}
                }
                let decided = container
                    .begun
                    .is_some_and(|at| now.duration_since(at) >= PROBE_TIME);
                let health = if unhealthy.contains(&container.name) {
                    Health::Unhealthy
                } else {
                    Health::Healthy
                };
                if container.is_probed() && decided && container.health != health {
                    container.health = health;
                    probed.push((container.clone(), health));
                }
            }
        }
        for (id, at, code) in due {
            let exit = Exit {
                code: Some(code),
                at: before(wall, now.duration_since(at)),
                oom_killed: false,
            };
            self.finish(&id, &exit);
        }
        for (container, health) in probed {
            if health == Health::Healthy {
                self.lock().history.was_healthy.insert(container.who());
            }
            self.emit(&container, RuntimeEventKind::Health(health));
        }
        self.let_held_go(now);
    }

    /// When a process, probe or late event is next due.
    pub(super) fn next_tick(&self) -> Option<Instant> {
        let inner = self.lock();
        let ends = inner
            .containers
            .values()
            .filter_map(|container| Some(container.due()?.0));
        let probes = inner.containers.values().filter_map(|container| {
            let waits = container.is_probed() && container.health == Health::Unknown;
            Some(container.begun.filter(|_| waits)? + PROBE_TIME)
        });
        let held = inner.held_events.iter().map(|(at, _)| *at);
        ends.chain(probes).chain(held).min()
    }

    pub(super) fn begin(&self, id: &str) {
        let now = self.clock.now();
        let mut inner = self.lock();
        let Some(container) = inner.containers.get_mut(id) else {
            return;
        };
        if container.state.may_live() {
            return;
        }
        let behavior = container.behavior();
        let begun = Instant::now();
        container.state = RunState::Running;
        container.exit = None;
        container.health = Health::Unknown;
        container.started_at = Some(now);
        container.begun = Some(begun);
        container.starts = container.starts.saturating_add(1);
        container.ends_at = behavior
            .runs_for
            .map(|time| (begun + time, behavior.exit_code));
        let container = container.clone();
        inner.look_for_twins(&container);
        inner.history.was_started.insert(container.who());
        drop(inner);
        self.emit(&container, RuntimeEventKind::Changed);
        self.tick();
    }

    /// SIGTERM now, and SIGKILL after the grace, whether or not somebody waits for it.
    pub(super) fn ask_to_end(&self, id: &DockerId, grace: Duration) {
        let Some(container) = self.lock().containers.get(id.as_str()).cloned() else {
            return;
        };
        if !container.state.may_live() {
            return;
        }
        let heeds = container.state == RunState::Running;
        match container.behavior().on_term.filter(|_| heeds) {
            Some(code) => self.signal(&container, code),
            None if container.spec.pause => self.signal(&container, KILLED),
            None => {
                self.emit(&container, RuntimeEventKind::Killed);
                let kill = Instant::now() + grace;
                if let Some(container) = self.lock().containers.get_mut(id.as_str()) {
                    let earlier = container.killed_at.filter(|at| *at <= kill);
                    container.killed_at = earlier.or(Some(kill));
                }
                self.tick();
            }
        }
    }

    pub(super) fn finish(&self, id: &str, exit: &Exit) {
        let mut inner = self.lock();
        let Some(container) = inner.containers.get_mut(id) else {
            return;
        };
        if !container.state.may_live() {
            return;
        }
        container.state = RunState::Exited;
        container.exit = Some(exit.clone());
        container.ends_at = None;
        container.killed_at = None;
        container.health = Health::Unknown;
        let container = container.clone();
        inner
            .history
            .ends
            .push((container.task.clone(), container.name.clone(), exit.clone()));
        drop(inner);
        let exit_code = exit.code;
        self.emit(&container, RuntimeEventKind::Died { exit_code });
    }
}

fn before(wall: UnixMillis, time: Duration) -> UnixMillis {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    UnixMillis(wall.0.saturating_sub(millis))
}
