//! What somebody else does to containers and volumes: `docker kill`, `rm`, `start`, `pause`, `volume create`, and
//! processes that end by themselves.

use crate::domain::ids::DockerId;
use crate::domain::runtime::{RunState, RuntimeEventKind, VolumeSpec};
use crate::domain::task::Exit;

use super::model::{Container, World};

/// Exit code of a process that SIGKILL ended.
const KILLED: i64 = 137;

impl World {
    fn by_id(&self, id: &DockerId) -> Option<Container> {
        self.lock().containers.get(id.as_str()).cloned()
    }

    /// Somebody else ends a process: `docker kill`.
    pub fn kill_from_outside(&self, id: &DockerId, code: i64) {
        self.emit_about(id, RuntimeEventKind::Killed);
        self.end_process(id, code, false);
    }

    /// `docker stop`.
    pub fn stop_from_outside(&self, id: &DockerId) {
        if let Some(container) = self.by_id(id) {
            let code = container.behavior().on_term.unwrap_or(KILLED);
            self.kill_from_outside(id, code);
        }
    }

    /// `docker restart`.
    pub fn restart_from_outside(&self, id: &DockerId) {
        self.stop_from_outside(id);
        self.start_from_outside(id);
    }

    /// A process ends by itself.
    pub fn end_process(&self, id: &DockerId, code: i64, oom_killed: bool) {
        let now = self.clock.now();
        self.finish(
            id.as_str(),
            &Exit {
                code: Some(code),
                at: now,
                oom_killed,
            },
        );
    }

    /// The engine ends and takes every process along.
    pub fn end_every_process(&self) {
        for container in self.containers() {
            self.end_process(&container.id, KILLED, false);
        }
    }

    /// Somebody else removes a container: `docker rm -f`.
    pub fn remove_from_outside(&self, id: &DockerId) {
        if self.by_id(id).is_some_and(|found| found.state.may_live()) {
            self.kill_from_outside(id, KILLED);
        }
        let removed = self.lock().containers.remove(id.as_str());
        if let Some(container) = removed {
            self.lock().history.removed_outside.insert(container.who());
            self.emit(&container, RuntimeEventKind::Destroyed);
        }
    }

    /// Somebody else starts a container: `docker start`.
    pub fn start_from_outside(&self, id: &DockerId) {
        if let Some(container) = self.by_id(id).filter(|found| !found.state.may_live()) {
            self.lock().history.started_outside.insert(container.who());
        }
        self.begin(id.as_str());
    }

    /// `docker pause`.
    pub fn pause_from_outside(&self, id: &DockerId) {
        self.change(id, |container| {
            if container.state == RunState::Running {
                container.state = RunState::Paused;
            }
        });
    }

    /// `docker unpause`.
    pub fn unpause_from_outside(&self, id: &DockerId) {
        self.change(id, |container| {
            if container.state == RunState::Paused {
                container.state = RunState::Running;
            }
        });
        self.tick();
    }

    /// `docker rename`.
    pub fn rename_from_outside(&self, id: &DockerId, name: &str) {
        self.change(id, |container| {
            name.clone_into(&mut container.spec.docker_name);
        });
    }

    /// `docker volume create`.
    pub fn make_volume_from_outside(&self, volume: VolumeSpec) {
        let name = volume.name.clone();
        self.lock().volumes.insert(name, volume);
    }

    fn change(&self, id: &DockerId, change: impl FnOnce(&mut Container)) {
        if let Some(container) = self.lock().containers.get_mut(id.as_str()) {
            change(container);
        }
        self.emit_about(id, RuntimeEventKind::Changed);
    }
}
