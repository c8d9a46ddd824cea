//! The containers and volumes themselves, and what a script sets about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use crate::boundary::Clock;
use crate::domain::ids::{ContainerName, DockerId, TaskArn, UnixMillis};
use crate::domain::names;
use crate::domain::runtime::{RunState, RuntimeEvent, VolumeSpec};
use crate::domain::spec::ContainerSpec;
use crate::domain::status::Health;
use crate::domain::task::Exit;

use super::behavior::Behavior;
use super::events::EventFate;
use super::faults::{Effect, Fault, Operation, take};
use super::history::History;

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
    /// When its process ends by itself, and with which code: no wall time, which may be set.
    pub ends_at: Option<(Instant, i64)>,
    /// When Docker kills it because it has not heeded a stop.
    pub killed_at: Option<Instant>,
    /// Start of its present or last run, by the time that only runs forward.
    pub begun: Option<Instant>,
    /// Health.
    pub health: Health,
    /// How often it was started.
    pub starts: u32,
}

impl Container {
    /// A container that has just been made.
    pub(super) fn new(
        id: DockerId,
        (task, name): (TaskArn, ContainerName),
        spec: &ContainerSpec,
    ) -> Self {
        Self {
            id,
            spec: spec.clone(),
            task,
            name,
            state: RunState::Created,
            exit: None,
            started_at: None,
            ends_at: None,
            killed_at: None,
            begun: None,
            health: Health::Unknown,
            starts: 0,
        }
    }

    /// What its process does.
    pub(super) fn behavior(&self) -> Behavior {
        if self.spec.pause {
            return Behavior {
                runs_for: None,
                exit_code: 0,
                on_term: None,
            };
        }
        Behavior::of(self.spec.definition.command.as_deref().unwrap_or_default())
    }

    /// Whose container it is.
    pub(super) fn who(&self) -> Who {
        (self.task.clone(), self.name.clone())
    }
}

/// A container of a task, whatever its Docker id.
pub(super) type Who = (TaskArn, ContainerName);

/// The whole engine. Cheap to clone; clones are the same world.
#[derive(Clone)]
pub struct World {
    pub(super) inner: Arc<Mutex<Inner>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) events: broadcast::Sender<RuntimeEvent>,
    /// Counts how often hanging calls were let go.
    pub(super) releases: watch::Sender<u64>,
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
    pub(super) event_fate: EventFate,
    /// Events that are late, with the instant at which they come.
    pub(super) held_events: Vec<(Instant, RuntimeEvent)>,
    pub(super) taken_ports: BTreeSet<u16>,
    pub(super) history: History,
    pub(super) calls: BTreeMap<Operation, u64>,
    pub(super) next_id: u64,
    pub(super) unhealthy: BTreeSet<ContainerName>,
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
            event_fate: EventFate::Deliver,
            held_events: Vec::new(),
            taken_ports: BTreeSet::new(),
            history: History::default(),
            calls: BTreeMap::new(),
            next_id: 1,
            unhealthy: BTreeSet::new(),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            clock,
            events,
            releases: watch::Sender::new(0),
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
        inner.event_fate = EventFate::Deliver;
        inner.taken_ports.clear();
    }

    /// The engine stops or begins to answer. Containers live on (live-restore).
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    /// Calls that hang now are answered, as if nothing had been.
    pub fn release(&self) {
        self.releases
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// What becomes of events from now on.
    pub fn set_events(&self, fate: EventFate) {
        self.lock().event_fate = fate;
    }

    /// Somebody else listens on a host port.
    pub fn take_port(&self, port: u16) {
        self.lock().taken_ports.insert(port);
    }

    /// Nobody else listens on it any more.
    pub fn free_port(&self, port: u16) {
        self.lock().taken_ports.remove(&port);
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

    /// How often a call was made.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.lock().calls.get(&operation).copied().unwrap_or(0)
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
