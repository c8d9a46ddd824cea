//! One agent over a world that outlives it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::boundary::{Clock, DesiredCodec, HostProbe};
use crate::domain::definition::{ContainerDefinition, TaskDefinition};
use crate::domain::host::{CgroupSupport, HostFacts, OsType};
use crate::domain::ids::{ContainerName, Family, Generation, TaskArn};
use crate::domain::image::ImageRef;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::runtime::RuntimeInfo;
use crate::domain::status::{DesiredStatus, TaskStatus};
use crate::domain::task::{DesiredTask, Origin, TaskOptions};
use crate::reconcile::handle::{HandleError, PutOutcome, PutTask};
use crate::reconcile::settings::{Endpoints, EngineSettings, PullBehavior};
use crate::reconcile::snapshot::Snapshot;
use crate::reconcile::{Dependencies, Reconciler, ReconcilerHandle};

use super::super::clock::{SeededIds, TokioClock};
use super::super::credentials::FakeRoles;
use super::super::images::{FakeHost, FakeSecrets, WorldImages};
use super::super::memory_store::MemoryStore;
use super::super::world::World;
use super::gate::{Gate, GatedHost, GatedImages, GatedRuntime, GatedStore};
use super::witness::Witness;

/// Of the waits that an agent draws; what happens in a run is decided by the run's own seed.
const IDS_SEED: u64 = 7;

/// Everything of a simulated host.
pub struct Simulation {
    /// Docker.
    pub world: World,
    /// Rows.
    pub store: MemoryStore,
    /// The host beside Docker.
    pub host: Arc<FakeHost>,
    /// Time.
    pub clock: Arc<TokioClock>,
    /// Tasks that somebody asked to stop or remove.
    pub stop_asked: BTreeSet<TaskArn>,
    /// Definitions that were put, for rebuilding and for checks.
    pub definitions: Arc<std::sync::Mutex<BTreeMap<String, DesiredTask>>>,
    /// What the host can do, when it is next asked.
    pub facts: Arc<std::sync::Mutex<HostFacts>>,
    /// Credentials of roles; they can be served, unless a script says otherwise.
    pub roles: Arc<FakeRoles>,
    /// Values from outside; they can be had, unless a script says otherwise.
    pub secrets: Arc<FakeSecrets>,
    /// Where the agent can be frozen.
    pub gate: Gate,
    pub(super) witness: Witness,
    pub(super) settings: EngineSettings,
    missing: BTreeSet<String>,
    agent: Option<Agent>,
}

struct Agent {
    handle: ReconcilerHandle,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

struct GivenHost(Arc<std::sync::Mutex<HostFacts>>);

#[async_trait]
impl HostProbe for GivenHost {
    async fn probe(&self, _info: &RuntimeInfo) -> HostFacts {
        let facts = self.0.lock();
        facts
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }
}

/// Keeps definitions beside the containers: the label's text is a key, as long as the values in the definition.
struct MapCodec(Arc<std::sync::Mutex<BTreeMap<String, DesiredTask>>>);

impl DesiredCodec for MapCodec {
    fn encode(&self, desired: &DesiredTask) -> String {
        let mut map = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let first = DesiredTask {
            generation: Generation(1),
            status: DesiredStatus::Running,
            remove: false,
            ..desired.clone()
        };
        map.entry(desired.arn.to_string()).or_insert(first);
        let containers = desired.definition.containers.iter();
        let values = containers.flat_map(|container| container.environment.values());
        let length = values.map(String::len).sum();
        format!("{}{}", desired.arn, " ".repeat(length))
    }

    fn decode(&self, _arn: &TaskArn, text: &str) -> Option<DesiredTask> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get(text.trim_end())
            .cloned()
    }
}

impl Simulation {
    /// A host without an agent.
    pub fn new() -> Self {
        let clock = Arc::new(TokioClock::new());
        let world = World::new(clock.clone());
        Self {
            witness: Witness::new(world.clone()),
            world,
            store: MemoryStore::default(),
            host: Arc::new(FakeHost::default()),
            clock,
            stop_asked: BTreeSet::new(),
            definitions: Arc::default(),
            facts: Arc::new(std::sync::Mutex::new(host_facts())),
            roles: Arc::default(),
            secrets: Arc::default(),
            gate: Gate::default(),
            settings: EngineSettings {
                cleanup_wait: Duration::from_hours(3),
                endpoints: Endpoints {
                    credentials: true,
                    ..Endpoints::default()
                },
                ..EngineSettings::default()
            },
            missing: BTreeSet::from(["missing".to_owned()]),
            agent: None,
        }
    }

    /// Starts the agent.
    #[expect(
        clippy::disallowed_methods,
        reason = "the simulation owns the agent and aborts it: that is its crash"
    )]
    pub fn start(&mut self) {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let images = WorldImages::new(self.world.clone(), Arc::clone(&clock), self.missing.clone());
        let (engine, handle) = Reconciler::new(Dependencies {
            runtime: Arc::new(GatedRuntime(self.world.clone(), self.gate.clone())),
            volumes: Arc::new(GatedRuntime(self.world.clone(), self.gate.clone())),
            images: Arc::new(GatedImages(Arc::new(images), self.gate.clone())),
            secrets: self.secrets.clone(),
            host: Arc::new(GatedHost(Arc::clone(&self.host), self.gate.clone())),
            store: Arc::new(GatedStore(
                self.store.clone(),
                self.gate.clone(),
                self.witness.clone(),
            )),
            clock,
            ids: Arc::new(SeededIds::new(IDS_SEED)),
            roles: Some(self.roles.clone()),
            codec: Arc::new(MapCodec(Arc::clone(&self.definitions))),
            probe: Arc::new(GivenHost(Arc::clone(&self.facts))),
            meter: Arc::new(crate::boundary::meter::NoMeter),
            settings: self.settings.clone(),
            damage: Vec::new(),
        });
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(engine.run(shutdown.clone()));
        self.agent = Some(Agent {
            handle,
            shutdown,
            running,
        });
    }

    /// When images are pulled (`ECS_IMAGE_PULL_BEHAVIOR`), from the next start of the agent on.
    pub fn set_pull_behavior(&mut self, behavior: PullBehavior) {
        self.settings.pull_behavior = behavior;
    }

    /// How long ended tasks are kept, from the next start of the agent on.
    pub fn keep_ended_for(&mut self, wait: Duration) {
        self.settings.cleanup_wait = wait;
    }

    /// kill -9. Also ends a frozen agent.
    pub async fn crash(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.running.abort();
            let _ended = agent.running.await;
        }
        self.store.stop_flushing();
        self.secrets.lose();
        self.gate.open();
    }

    /// The power fails and comes back: every process ends, and the store has what was flushed. What ended before is on
    /// the disk of Docker, which flushes it by itself.
    pub async fn lose_power(&mut self) {
        self.crash().await;
        self.store.lose_power();
        self.witness.power_is_lost(&self.store);
        self.world.end_every_process();
    }

    /// The rows are gone: the file was deleted while the agent was away.
    pub fn lose_rows(&mut self) {
        self.store = MemoryStore::default();
        self.witness.forget_rows();
    }

    /// SIGTERM.
    pub async fn stop_agent(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.shutdown.cancel();
            let _ended = agent.running.await;
        }
    }

    /// Whether an agent runs, and has not ended by itself.
    pub fn agent_runs(&self) -> bool {
        self.agent
            .as_ref()
            .is_some_and(|agent| !agent.running.is_finished())
    }

    /// The way in.
    ///
    /// # Panics
    /// If no agent runs.
    #[expect(
        clippy::expect_used,
        reason = "a script that talks to no agent is wrong"
    )]
    pub fn handle(&self) -> ReconcilerHandle {
        self.agent.as_ref().expect("an agent runs").handle.clone()
    }

    /// What the agent shows.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.handle().snapshot()
    }

    /// Lets time pass.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Lets time pass until the condition holds; false if it does not within `limit`.
    pub async fn until(&self, limit: Duration, mut holds: impl FnMut(&Snapshot) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            if holds(&self.snapshot()) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Puts a task.
    ///
    /// # Errors
    /// As the handle.
    pub async fn put(
        &self,
        arn: &TaskArn,
        definition: TaskDefinition,
    ) -> Result<PutOutcome, HandleError> {
        let put = PutTask {
            arn: arn.clone(),
            definition: Arc::new(definition),
            options: TaskOptions::default(),
            origin: Origin::Api,
            expected_generation: None,
        };
        self.handle().put(put).await
    }

    /// Asks a task to stop.
    ///
    /// # Errors
    /// As the handle.
    pub async fn stop(&mut self, arn: &TaskArn) -> Result<Generation, HandleError> {
        self.stop_asked.insert(arn.clone());
        self.handle()
            .stop(arn, Reason::new(ReasonName::UserInitiated, "asked"))
            .await
    }

    /// Asks a task to go.
    ///
    /// # Errors
    /// As the handle.
    pub async fn remove(&mut self, arn: &TaskArn) -> Result<Generation, HandleError> {
        self.stop_asked.insert(arn.clone());
        self.handle()
            .remove(arn, Reason::new(ReasonName::UserInitiated, "asked"))
            .await
    }

    /// Known status of a task; `None` = the agent does not know it.
    pub fn status(&self, arn: &TaskArn) -> Option<TaskStatus> {
        self.snapshot()
            .tasks
            .get(arn)
            .map(|view| view.task.known.status)
    }
}

impl Default for Simulation {
    fn default() -> Self {
        Self::new()
    }
}

/// The host that simulated tasks run on.
pub fn host_facts() -> HostFacts {
    HostFacts {
        os_type: OsType::Linux,
        cpu_architecture: "X86_64".to_owned(),
        cpu_units: 2048,
        memory_mib: 8192,
        reserved_ports: BTreeSet::new(),
        front_port: None,
        dynamic_ports: (49_153, 65_535),
        cgroups: CgroupSupport::V1,
        log_drivers: BTreeSet::from(["json-file".to_owned(), "none".to_owned()]),
        volume_drivers: BTreeSet::from(["local".to_owned()]),
        swap_limit: true,
        selinux: false,
        apparmor: false,
        runtime_version: "fake".to_owned(),
        gpus: None,
        attributes: BTreeMap::from([("ecs.os-type".to_owned(), "linux".to_owned())]),
    }
}

/// ARN of the nth simulated task.
///
/// # Panics
/// Never: the text is an ARN.
#[expect(clippy::expect_used, reason = "the text is an ARN")]
pub fn arn(n: u32) -> TaskArn {
    TaskArn::parse(&format!(
        "arn:aws:ecs:local:000000000000:task/default/{n:032x}"
    ))
    .expect("an ARN")
}

/// A container that runs a shell command.
///
/// # Panics
/// If the name or image is not one.
#[expect(clippy::expect_used, reason = "names in tests are good")]
pub fn shell(name: &str, image: &str, command: &str) -> ContainerDefinition {
    let mut container = ContainerDefinition::new(
        ContainerName::parse(name).expect("a container name"),
        ImageRef::parse(image).expect("an image"),
    );
    container.command = Some(vec!["sh".to_owned(), "-c".to_owned(), command.to_owned()]);
    container
}

/// A task of these containers.
///
/// # Panics
/// Never: the family is one.
#[expect(clippy::expect_used, reason = "the family is one")]
pub fn task(containers: Vec<ContainerDefinition>) -> TaskDefinition {
    TaskDefinition::new(Family::parse("sim").expect("a family"), containers)
}

/// A role that simulated tasks may have.
pub const ROLE: &str = "arn:aws:iam::123456789012:role/web";

/// Runs until told to stop, and then ends with 0.
pub const SERVE: &str = "trap 'exit 0' TERM; sleep 100000 & wait";
/// Runs until killed.
pub const STUBBORN: &str = "sleep 100000";
