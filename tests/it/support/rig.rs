//! The engine with real parts: Docker, images, the host; only the rows are in memory.
#![cfg(feature = "e2e")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use berth::boundary::images::OwnFiles;
use berth::boundary::{
    Clock, ContainerRuntime, DesiredCodec, Host, HostProbe, ImageRuntime, VolumeRuntime,
};
use berth::definition::{canonical, from_canonical};
use berth::docker::{Deadlines, Docker, DockerConfig};
use berth::domain::definition::{ContainerDefinition, TaskDefinition};
use berth::domain::host::HostFacts;
use berth::domain::ids::{
    ClusterName, ContainerName, DockerId, Family, Generation, TaskArn, TaskId, UnixMillis,
};
use berth::domain::image::ImageRef;
use berth::domain::layout::volume_docker_name;
use berth::domain::reason::{Reason, ReasonName};
use berth::domain::runtime::{OutputRange, RuntimeInfo};
use berth::domain::status::DesiredStatus;
use berth::domain::task::{DesiredTask, EcsFacts, Origin, TaskOptions};
use berth::domain::task_ids::TaskIds;
use berth::images::{HostPlatform, ImagesConfig, ImagesHandle, Outside, service};
use berth::platform::os_family::OsVersion;
use berth::platform::{
    FactSettings, HostOptions, HostOs, RawFacts, SystemClock, SystemIds, capacity, dynamic_ports,
    host_facts,
};
use berth::reconcile::handle::PutTask;
use berth::reconcile::settings::{EngineSettings, PullBehavior};
use berth::reconcile::snapshot::{Snapshot, TaskView};
use berth::reconcile::{Dependencies, Reconciler, ReconcilerHandle};
use berth::testing::images::{FakeSecrets, NoTokens};
use berth::testing::memory_store::MemoryStore;
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::http::{self, Answer};
use super::view::{eventually, name};

/// How long a test waits for what must come: far above what it takes, so that a slow machine fails nothing.
const PATIENCE: Duration = Duration::from_secs(90);

/// What an engine under test is made of.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Where Docker is; `None` = the platform's.
    pub(crate) docker: Option<String>,
    /// Where the engine, and nobody else, looks for Docker; `None` = where it is.
    pub(crate) through: Option<String>,
    /// Of the engine's calls.
    pub(crate) deadlines: Deadlines,
    pub(crate) images: ImagesConfig,
    /// Its instance is chosen by the rig.
    pub(crate) engine: EngineSettings,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            docker: None,
            through: None,
            deadlines: Deadlines::default(),
            images: ImagesConfig {
                behavior: PullBehavior::PreferCached,
                ..ImagesConfig::default()
            },
            engine: EngineSettings::default(),
        }
    }
}

/// An engine under test, its Docker and its rows.
pub(crate) struct Rig {
    pub(crate) docker: Docker,
    pub(crate) setup: Setup,
    pub(crate) instance: String,
    pub(crate) image: String,
    pub(crate) store: MemoryStore,
    pub(crate) handle: ReconcilerHandle,
    shutdown: CancellationToken,
    work: JoinSet<()>,
    next: u32,
}

struct Probe {
    host: Arc<HostOs>,
    images: ImagesHandle,
}

#[async_trait]
impl HostProbe for Probe {
    async fn probe(&self, info: &RuntimeInfo) -> HostFacts {
        let platform = HostPlatform::from_docker(info, None);
        self.images.set_host(platform, info.root_dir.clone());
        let settings = FactSettings {
            reserved_memory_mib: 0,
            reserved_ports: BTreeSet::new(),
            front_port: None,
            reserved_ports_udp: BTreeSet::new(),
            dynamic_ports: None,
            detailed_family: None,
            gpu_list: None,
            attributes: [].into(),
        };
        host_facts(RawFacts {
            info,
            capacity: capacity(),
            os_version: &OsVersion::default(),
            cgroups: self.host.probe_cgroups(info).await,
            dynamic_ports: dynamic_ports(),
            gpus: None,
            settings: &settings,
        })
    }
}

/// The label's text is the definition alone: enough for these tests.
struct Codec;

impl DesiredCodec for Codec {
    fn encode(&self, desired: &DesiredTask) -> String {
        canonical(&desired.definition)
    }

    fn decode(&self, arn: &TaskArn, text: &str) -> Option<DesiredTask> {
        Some(DesiredTask {
            arn: arn.clone(),
            generation: Generation(1),
            definition: Arc::new(from_canonical(text).ok()?),
            options: TaskOptions::default(),
            ids: TaskIds::default(),
            origin: Origin::Adopted,
            ecs: EcsFacts::default(),
            status: DesiredStatus::Running,
            stop_reason: None,
            remove: false,
            arrived_at: UnixMillis(0),
        })
    }
}

impl Rig {
    /// An engine over real Docker with an image of its own; `None`, said on standard error, where there is no Docker.
    pub(crate) async fn start(setup: Setup) -> Option<Self> {
        let (docker, instance) = super::docker::docker_at(setup.docker.clone()).await?;
        let image = format!("berth-test/busybox:{instance}");
        super::images::load_busybox(&docker, &image).await;
        let store = MemoryStore::default();
        let mut work = JoinSet::new();
        let shutdown = CancellationToken::new();
        let handle = engine(&setup, &instance, &store, &mut work, &shutdown);
        Some(Self {
            docker,
            setup,
            instance,
            image,
            store,
            handle,
            shutdown,
            work,
            next: 1,
        })
    }

    /// kill -9: nothing of the engine runs on.
    pub(crate) async fn crash(&mut self) {
        self.work.shutdown().await;
    }

    /// Starts the engine again over the same rows.
    pub(crate) fn restart(&mut self) {
        self.shutdown = CancellationToken::new();
        self.handle = engine(
            &self.setup,
            &self.instance,
            &self.store,
            &mut self.work,
            &self.shutdown,
        );
    }

    /// A container that runs a shell command in the test's image.
    pub(crate) fn shell(&self, name: &str, command: &str) -> ContainerDefinition {
        let mut container = ContainerDefinition::new(
            ContainerName::parse(name).expect("a name"),
            ImageRef::parse(&self.image).expect("an image"),
        );
        container.command = Some(["sh", "-c", command].map(str::to_owned).to_vec());
        container.memory_mib = Some(32);
        container
    }

    /// A definition of these containers.
    pub(crate) fn definition(containers: Vec<ContainerDefinition>) -> TaskDefinition {
        TaskDefinition::new(Family::parse("it").expect("a family"), containers)
    }

    /// Puts a task of these containers.
    pub(crate) async fn put(&mut self, containers: Vec<ContainerDefinition>) -> TaskArn {
        let definition = Self::definition(containers);
        self.put_definition(definition, TaskOptions::default())
            .await
    }

    /// Puts a task.
    pub(crate) async fn put_definition(
        &mut self,
        definition: TaskDefinition,
        options: TaskOptions,
    ) -> TaskArn {
        let cluster = ClusterName::parse("default").expect("a cluster");
        let id = TaskId::parse(&format!("{}-{}", self.instance, self.next)).expect("an id");
        self.next += 1;
        let arn = TaskArn::standalone(&cluster, &id);
        let put = PutTask {
            arn: arn.clone(),
            definition: Arc::new(definition),
            options,
            origin: Origin::Api,
            expected_generation: None,
        };
        self.handle.put(put).await.expect("a put");
        arn
    }

    /// Asks a task to stop.
    pub(crate) async fn stop(&self, arn: &TaskArn) {
        let why = Reason::new(ReasonName::UserInitiated, "the test asks");
        self.handle.stop(arn, why).await.expect("a stop");
    }

    /// Asks a task to go.
    pub(crate) async fn remove(&self, arn: &TaskArn) {
        let why = Reason::new(ReasonName::UserInitiated, "the test asks");
        self.handle.remove(arn, why).await.expect("a removal");
    }

    /// Waits until the engine's state satisfies the condition.
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut(&Snapshot) -> bool) {
        let mut changes = self.handle.changes();
        let wait = async {
            while !holds(&self.handle.snapshot()) {
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let came = tokio::time::timeout(PATIENCE, wait).await;
        assert!(came.is_ok(), "{what}: never; {:#?}", self.handle.snapshot());
    }

    /// Waits until the task satisfies the condition.
    pub(crate) async fn until_task(
        &self,
        arn: &TaskArn,
        what: &str,
        mut holds: impl FnMut(&TaskView) -> bool,
    ) -> Arc<TaskView> {
        self.until(what, |snapshot| {
            snapshot.tasks.get(arn).is_some_and(|view| holds(view))
        })
        .await;
        Arc::clone(&self.handle.snapshot().tasks[arn])
    }

    /// Docker's id of a task's container.
    pub(crate) fn docker_id(&self, arn: &TaskArn, container: &str) -> DockerId {
        let view = &self.handle.snapshot().tasks[arn];
        let known = &view.task.known.containers[&name(container)];
        known.docker_id.clone().expect("an id")
    }

    /// Does to Docker what the adapter does not: `POST` or `DELETE`, a path below the API's version.
    pub(crate) async fn meddle(&self, method: &str, path: &str) -> Answer {
        let answer = http::request(self.socket(), method, path).await;
        answer.expect("Docker answers")
    }

    /// All that Docker says of a container.
    pub(crate) async fn inspect(&self, id: &DockerId) -> Value {
        let path = format!("/containers/{id}/json");
        self.meddle("GET", &path).await.json()
    }

    /// What a container has written.
    pub(crate) async fn output(&self, arn: &TaskArn, container: &str) -> String {
        let id = self.docker_id(arn, container);
        let logs = self.docker.logs(&id, OutputRange::ALL).await.expect("logs");
        let chunks: Vec<_> = logs.collect().await;
        let bytes = chunks
            .into_iter()
            .flat_map(|chunk| chunk.expect("output").bytes);
        String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
    }

    /// Waits until each of the tasks has a live container, and fails if one has two or another task has any.
    pub(crate) async fn assert_one_live_each(&self, arns: &[TaskArn]) {
        let wanted: BTreeSet<&TaskArn> = arns.iter().collect();
        // Docker's list is a moment behind its events.
        eventually("one live container a task", async || {
            let listed = self.docker.list().await.expect("a list");
            let live = listed.iter().filter(|one| one.state.may_live());
            let live: Vec<&TaskArn> = live.map(|one| &one.task).collect();
            let distinct: BTreeSet<&TaskArn> = live.iter().copied().collect();
            assert_eq!(live.len(), distinct.len(), "a duplicate: {listed:#?}");
            (distinct == wanted).then_some(())
        })
        .await;
    }

    fn socket(&self) -> &str {
        let endpoint = self.setup.docker.as_deref();
        endpoint
            .and_then(|endpoint| endpoint.strip_prefix("unix://"))
            .unwrap_or(http::DOCKER_SOCKET)
    }

    /// Ends the engine and removes everything that the test made.
    pub(crate) async fn end(mut self) {
        self.work.shutdown().await;
        super::docker::clean_up_at(self.setup.docker.clone(), &self.instance).await;
        self.docker.remove_image(&self.image).await.ok();
        for arn in self.handle.snapshot().tasks.keys() {
            self.remove_resources(arn).await;
        }
    }

    /// Cgroups and volumes of a task that the engine did not remove.
    async fn remove_resources(&self, arn: &TaskArn) {
        HostOs::new(HostOptions::default())
            .remove_cgroup(arn.task_id())
            .await
            .ok();
        let view = Arc::clone(&self.handle.snapshot().tasks[arn]);
        let definition = &view.task.desired.definition;
        for volume in &definition.volumes {
            if let Some(name) = volume_docker_name(definition, arn.task_id(), volume) {
                self.docker.remove_volume(&name).await.ok();
            }
        }
    }
}

/// Runs `test` with an engine and removes everything afterwards, also when it fails.
pub(crate) async fn with_engine(test: impl AsyncFnOnce(&mut Rig)) {
    with_setup(Setup::default(), test).await;
}

/// Like [`with_engine`], with an engine made as the setup says.
pub(crate) async fn with_setup(setup: Setup, test: impl AsyncFnOnce(&mut Rig)) {
    let Some(mut rig) = Rig::start(setup).await else {
        return;
    };
    let work = std::panic::AssertUnwindSafe(test(&mut rig));
    let done = work.catch_unwind().await;
    rig.end().await;
    if let Err(failure) = done {
        std::panic::resume_unwind(failure);
    }
}

fn engine(
    setup: &Setup,
    instance: &str,
    store: &MemoryStore,
    work: &mut JoinSet<()>,
    shutdown: &CancellationToken,
) -> ReconcilerHandle {
    let docker = DockerConfig {
        endpoint: setup.through.clone().or_else(|| setup.docker.clone()),
        deadlines: setup.deadlines,
        ..DockerConfig::new(instance)
    };
    let docker = Arc::new(Docker::new(docker).expect("an endpoint"));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let host = Arc::new(HostOs::new(HostOptions::default()));
    let outside = Outside {
        runtime: docker.clone(),
        host: host.clone(),
        tokens: Arc::new(NoTokens),
        secrets: Arc::new(NoTokens),
        logins: Vec::new(),
        clock: clock.clone(),
        ids: Arc::new(SystemIds),
        own_files: Arc::new(|_| OwnFiles {
            bytes: 0,
            same_disk: true,
        }),
        known: Vec::new(),
    };
    let (images_service, images) = service(setup.images.clone(), outside);
    work.spawn(images_service.run(shutdown.clone()));
    let (reconciler, handle) = Reconciler::new(Dependencies {
        runtime: docker.clone(),
        volumes: docker.clone(),
        secrets: Arc::new(FakeSecrets::default()),
        images: Arc::new(images.clone()),
        host: host.clone(),
        store: Arc::new(store.clone()),
        clock,
        ids: Arc::new(SystemIds),
        roles: None,
        codec: Arc::new(Codec),
        probe: Arc::new(Probe { host, images }),
        meter: Arc::new(berth::boundary::meter::NoMeter),
        settings: EngineSettings {
            instance: instance.to_owned(),
            ..setup.engine.clone()
        },
        damage: Vec::new(),
    });
    work.spawn(reconciler.run(shutdown.clone()));
    handle
}
