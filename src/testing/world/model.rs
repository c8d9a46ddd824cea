//! The containers and volumes themselves, and the passing of time on them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

use crate::boundary::Clock;
use crate::domain::ids::{ContainerName, DockerId, TaskArn, UnixMillis};
use crate::domain::names;
use crate::domain::runtime::{RunState, RuntimeEvent, RuntimeEventKind, VolumeSpec};
use crate::domain::spec::ContainerSpec;
use crate::domain::status::Health;
use crate::domain::task::Exit;

use super::behavior::Behavior;
use super::faults::{Effect, Fault, Operation, take};

/// Events that a slow reader may lag behind.
const EVENT_CAPACITY: usize = 4096;

/// One container.
#[derive(Clone, Debug)]
pub struct Container {
    /// Id.
    pub id: DockerId,
    /// What it was made from.
    pub spec: ContainerSpec,
    /// Task, from its labels.
    pub task: TaskArn,
    /// Container name, from its labels.
    pub name: ContainerName,
    /// What it does.
    pub state: RunState,
    /// How its last run ended.
    pub exit: Option<Exit>,
    /// Start of its present or last run.
    pub started_at: Option<UnixMillis>,
    /// When its process ends by itself, and with which code.
    pub ends_at: Option<(UnixMillis, i64)>,
    /// Health.
    pub health: Health,
    /// How often it was started.
    pub starts: u32,
}

/// The whole engine. Cheap to clone; clones are the same world.
#[derive(Clone)]
pub struct World {
    pub(super) inner: Arc<Mutex<Inner>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) events: broadcast::Sender<RuntimeEvent>,
    /// Containers of other agents are not listed.
    instance: Option<String>,
}

/// State behind the lock; never held over an await.
pub(super) struct Inner {
    pub(super) containers: BTreeMap<String, Container>,
    pub(super) volumes: BTreeMap<String, VolumeSpec>,
    pub(super) images: BTreeSet<String>,
    pub(super) faults: Vec<Fault>,
    pub(super) down: bool,
    pub(super) drop_events: bool,
    pub(super) repeat_events: bool,
    pub(super) taken_ports: BTreeSet<u16>,
    pub(super) violations: Vec<String>,
    pub(super) calls: BTreeMap<Operation, u64>,
    pub(super) next_id: u64,
    pub(super) unhealthy: BTreeSet<ContainerName>,
    /// Every end of a process, in order: the truth that reports are compared with.
    pub(super) ends: Vec<(TaskArn, ContainerName, Exit)>,
    /// Containers that somebody else started.
    pub(super) started_outside: BTreeSet<(TaskArn, ContainerName)>,
    /// Containers that somebody else removed.
    pub(super) removed_outside: BTreeSet<(TaskArn, ContainerName)>,
}

impl World {
    /// An empty world.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let (events, _) = broadcast::channel(EVENT_CAPACITY);
        let inner = Inner {
            containers: BTreeMap::new(),
            volumes: BTreeMap::new(),
            images: BTreeSet::new(),
            faults: Vec::new(),
            down: false,
            drop_events: false,
            repeat_events: false,
            taken_ports: BTreeSet::new(),
            violations: Vec::new(),
            calls: BTreeMap::new(),
            next_id: 1,
            unhealthy: BTreeSet::new(),
            ends: Vec::new(),
            started_outside: BTreeSet::new(),
            removed_outside: BTreeSet::new(),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            clock,
            events,
            instance: None,
        }
    }

    /// An empty world that lists the containers of one agent only, as Docker's adapter does.
    pub fn of_instance(clock: Arc<dyn Clock>, instance: &str) -> Self {
        Self {
            instance: Some(instance.to_owned()),
            ..Self::new(clock)
        }
    }

    /// Containers that the agent lists.
    pub(super) fn listed(&self) -> Vec<Container> {
        let ours = |container: &&Container| {
            let label = container.spec.labels.get(names::LABEL_INSTANCE);
            self.instance.is_none() || label == self.instance.as_ref()
        };
        self.lock()
            .containers
            .values()
            .filter(ours)
            .cloned()
            .collect()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An image is on the host.
    pub fn add_image(&self, reference: &str) {
        self.lock().images.insert(reference.to_owned());
    }

    /// A call will go wrong.
    pub fn add_fault(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Nothing goes wrong any more, and the engine answers.
    pub fn heal(&self) {
        let mut inner = self.lock();
        inner.faults.clear();
        inner.down = false;
        inner.drop_events = false;
        inner.repeat_events = false;
        inner.taken_ports.clear();
    }

    /// The engine stops or begins to answer. Containers live on (live-restore).
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    /// Whether events are lost from now on.
    pub fn drop_events(&self, drop: bool) {
        self.lock().drop_events = drop;
    }

    /// Whether each event comes twice from now on.
    pub fn repeat_events(&self, repeat: bool) {
        self.lock().repeat_events = repeat;
    }

    /// Somebody else listens on a host port.
    pub fn take_port(&self, port: u16) {
        self.lock().taken_ports.insert(port);
    }

    /// Containers whose probes fail.
    pub fn set_unhealthy(&self, name: &ContainerName, unhealthy: bool) {
        let mut inner = self.lock();
        if unhealthy {
            inner.unhealthy.insert(name.clone());
        } else {
            inner.unhealthy.remove(name);
        }
    }

    /// Every container.
    pub fn containers(&self) -> Vec<Container> {
        self.tick();
        self.lock().containers.values().cloned().collect()
    }

    /// Names of every volume.
    pub fn volumes(&self) -> Vec<String> {
        self.lock().volumes.keys().cloned().collect()
    }

    /// Everything that must never happen and did.
    pub fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// Every end of a process so far.
    pub fn ends(&self) -> Vec<(TaskArn, ContainerName, Exit)> {
        self.tick();
        self.lock().ends.clone()
    }

    /// How often a call was made.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.lock().calls.get(&operation).copied().unwrap_or(0)
    }

    /// Somebody else ends a process: `docker kill`.
    pub fn kill_from_outside(&self, id: &DockerId, code: i64) {
        self.emit_about(id, RuntimeEventKind::Killed);
        self.end_process(id, code, false);
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

    /// Somebody else removes a container: `docker rm -f`.
    pub fn remove_from_outside(&self, id: &DockerId) {
        if self
            .lock()
            .containers
            .get(id.as_str())
            .is_some_and(|container| container.state.may_live())
        {
            self.kill_from_outside(id, 137);
        }
        let removed = self.lock().containers.remove(id.as_str());
        if let Some(container) = removed {
            let who = (container.task.clone(), container.name.clone());
            self.lock().removed_outside.insert(who);
            self.emit(&container, RuntimeEventKind::Destroyed);
        }
    }

    /// Somebody else starts a container: `docker start`.
    pub fn start_from_outside(&self, id: &DockerId) {
        let container = self.lock().containers.get(id.as_str()).cloned();
        if let Some(container) = container.filter(|container| !container.state.may_live()) {
            self.lock()
                .started_outside
                .insert((container.task, container.name));
        }
        self.begin(id.as_str());
    }

    /// Somebody else gives a container another name: `docker rename`.
    pub fn rename_from_outside(&self, id: &DockerId, to: &str) {
        if let Some(container) = self.lock().containers.get_mut(id.as_str()) {
            to.clone_into(&mut container.spec.docker_name);
        }
        self.emit_about(id, RuntimeEventKind::Changed);
    }

    /// Whether somebody else ever started that container.
    pub fn was_started_outside(&self, task: &TaskArn, name: &ContainerName) -> bool {
        self.lock()
            .started_outside
            .contains(&(task.clone(), name.clone()))
    }

    /// Whether somebody else ever removed that container, so that nobody can look at how it ended.
    pub fn was_removed_outside(&self, task: &TaskArn, name: &ContainerName) -> bool {
        self.lock()
            .removed_outside
            .contains(&(task.clone(), name.clone()))
    }

    /// Lets processes and probes do what is due.
    pub fn tick(&self) {
        let now = self.clock.now();
        let mut due: Vec<(String, UnixMillis, i64)> = Vec::new();
        let mut probed = Vec::new();
        {
            let mut inner = self.lock();
            let unhealthy = inner.unhealthy.clone();
            for (id, container) in &mut inner.containers {
                match container.ends_at {
                    Some((at, code)) if at <= now => due.push((id.clone(), at, code)),
                    _ => {}
                }
                let checked = container.spec.definition.health_check.is_some()
                    && container.state == RunState::Running;
                let passed = container
                    .started_at
                    .is_some_and(|at| now.since(at) >= Duration::from_secs(1));
                let health = if unhealthy.contains(&container.name) {
                    Health::Unhealthy
                } else {
                    Health::Healthy
                };
                if checked && passed && container.health != health {
                    container.health = health;
                    probed.push((container.clone(), health));
                }
            }
        }
        for (id, at, code) in due {
            self.finish(
                &id,
                &Exit {
                    code: Some(code),
                    at,
                    oom_killed: false,
                },
            );
        }
        for (container, health) in probed {
            self.emit(&container, RuntimeEventKind::Health(health));
        }
    }

    /// When a process or probe is next due.
    pub(super) fn next_tick(&self) -> Option<UnixMillis> {
        let inner = self.lock();
        let ends = inner
            .containers
            .values()
            .filter_map(|container| container.ends_at.map(|(at, _)| at));
        let probes = inner.containers.values().filter_map(|container| {
            let waits = container.spec.definition.health_check.is_some()
                && container.state == RunState::Running
                && container.health == Health::Unknown;
            container
                .started_at
                .filter(|_| waits)
                .map(|at| at.plus(Duration::from_secs(1)))
        });
        ends.chain(probes).min()
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
        let command = container
            .spec
            .definition
            .command
            .clone()
            .unwrap_or_default();
        let behavior = if container.spec.pause {
            Behavior {
                runs_for: None,
                exit_code: 0,
                on_term: None,
            }
        } else {
            Behavior::of(&command)
        };
        container.state = RunState::Running;
        container.exit = None;
        container.health = Health::Unknown;
        container.started_at = Some(now);
        container.starts = container.starts.saturating_add(1);
        container.ends_at = behavior
            .runs_for
            .map(|time| (now.plus(time), behavior.exit_code));
        let container = container.clone();
        let twins = inner.containers.values().filter(|other| {
            other.task == container.task && other.name == container.name && other.state.may_live()
        });
        if twins.count() > 1 {
            let words = format!(
                "two live containers of {} in {}",
                container.name, container.task
            );
            inner.violations.push(words);
        }
        drop(inner);
        self.emit(&container, RuntimeEventKind::Changed);
        self.tick();
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
        container.health = Health::Unknown;
        let container = container.clone();
        inner
            .ends
            .push((container.task.clone(), container.name.clone(), exit.clone()));
        drop(inner);
        self.emit(
            &container,
            RuntimeEventKind::Died {
                exit_code: exit.code,
            },
        );
    }

    fn emit_about(&self, id: &DockerId, kind: RuntimeEventKind) {
        let container = self.lock().containers.get(id.as_str()).cloned();
        if let Some(container) = container {
            self.emit(&container, kind);
        }
    }

    pub(super) fn emit(&self, container: &Container, kind: RuntimeEventKind) {
        let (dropped, repeated) = {
            let inner = self.lock();
            (inner.drop_events || inner.down, inner.repeat_events)
        };
        if dropped {
            return;
        }
        let event = RuntimeEvent {
            id: container.id.clone(),
            task: container.task.clone(),
            container: container.name.clone(),
            at: self.clock.now(),
            kind,
        };
        // Nobody need listen.
        if repeated {
            let _listeners = self.events.send(event.clone());
        }
        let _listeners = self.events.send(event);
    }

    pub(super) fn count(&self, operation: Operation, object: &str) -> (bool, Option<Effect>) {
        self.tick();
        let mut inner = self.lock();
        let calls = inner.calls.entry(operation).or_default();
        *calls = calls.saturating_add(1);
        let effect = take(&mut inner.faults, operation, object);
        (inner.down, effect)
    }

    pub(super) fn identity(spec: &ContainerSpec) -> Option<(TaskArn, ContainerName)> {
        let task = TaskArn::parse(spec.labels.get(names::LABEL_TASK_ARN)?).ok()?;
        let name = ContainerName::parse(spec.labels.get(names::LABEL_CONTAINER_NAME)?).ok()?;
        Some((task, name))
    }
}
