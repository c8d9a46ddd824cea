//! The engine with real parts: Docker, images, the host; only the rows are in memory.
#![cfg(feature = "e2e")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use berth::boundary::{Clock, DesiredCodec, HostProbe, ImageRuntime};
use berth::definition::{canonical, from_canonical};
use berth::docker::{Docker, DockerConfig};
use berth::domain::definition::{ContainerDefinition, TaskDefinition};
use berth::domain::host::HostFacts;
use berth::domain::ids::{
    ClusterName, ContainerName, Family, Generation, TaskArn, TaskId, UnixMillis,
};
use berth::domain::image::ImageRef;
use berth::domain::reason::{Reason, ReasonName};
use berth::domain::runtime::RuntimeInfo;
use berth::domain::status::DesiredStatus;
use berth::domain::task::{DesiredTask, Origin, TaskOptions};
use berth::images::{HostPlatform, ImagesConfig, ImagesHandle, Outside, service};
use berth::platform::{
    FactSettings, HostOptions, HostOs, RawFacts, SystemClock, capacity, dynamic_ports, host_facts,
};
use berth::reconcile::handle::PutTask;
use berth::reconcile::settings::{EngineSettings, PullBehavior};
use berth::reconcile::snapshot::{Snapshot, TaskView};
use berth::reconcile::{Dependencies, Reconciler, ReconcilerHandle};
use berth::testing::memory_store::MemoryStore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a test waits for what must come: far above what it takes, so that a slow machine fails nothing.
const PATIENCE: Duration = Duration::from_secs(90);

/// An engine under test, its Docker and its rows.
pub(crate) struct Rig {
    pub(crate) docker: Docker,
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
        let platform = HostPlatform::from_docker(&info.os_type, &info.architecture);
        self.images.set_host(platform, info.root_dir.clone());
        let settings = FactSettings {
            reserved_memory_mib: 0,
            reserved_ports: BTreeSet::new(),
            reserved_ports_udp: BTreeSet::new(),
            dynamic_ports: None,
            attributes: [].into(),
        };
        host_facts(RawFacts {
            info,
            capacity: capacity(),
            cgroups: self.host.probe_cgroups(info).await,
            dynamic_ports: dynamic_ports(),
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
            origin: Origin::Adopted,
            status: DesiredStatus::Running,
            stop_reason: None,
            remove: false,
            arrived_at: UnixMillis(0),
        })
    }
}

impl Rig {
    /// An engine over real Docker with an image of its own; `None`, said on standard error, where there is no Docker.
    pub(crate) async fn start() -> Option<Self> {
        let (docker, instance) = super::docker::docker().await?;
        let image = format!("berth-test/busybox:{instance}");
        super::images::load_busybox(&docker, &image).await;
        let store = MemoryStore::default();
        let mut work = JoinSet::new();
        let shutdown = CancellationToken::new();
        let handle = engine(&docker, &instance, &store, &mut work, &shutdown);
        Some(Self {
            docker,
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
            &self.docker,
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

    /// Puts a task of these containers.
    pub(crate) async fn put(&mut self, containers: Vec<ContainerDefinition>) -> TaskArn {
        let definition = TaskDefinition::new(Family::parse("it").expect("a family"), containers);
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
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("{what}: never; {:#?}", self.handle.snapshot());
        }
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

    /// Ends the engine and removes everything that the test made.
    pub(crate) async fn end(mut self) {
        self.work.shutdown().await;
        super::docker::clean_up(&self.instance).await;
        self.docker.remove_image(&self.image).await.ok();
    }
}

fn engine(
    docker: &Docker,
    instance: &str,
    store: &MemoryStore,
    work: &mut JoinSet<()>,
    shutdown: &CancellationToken,
) -> ReconcilerHandle {
    let docker = Arc::new(docker.clone());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let host = Arc::new(HostOs::new(HostOptions::default()));
    let config = ImagesConfig {
        behavior: PullBehavior::PreferCached,
        ..ImagesConfig::default()
    };
    let outside = Outside {
        runtime: docker.clone(),
        host: host.clone(),
        clock: clock.clone(),
        known: Vec::new(),
    };
    let (images_service, images) = service(config, outside);
    work.spawn(images_service.run(shutdown.clone()));
    let (reconciler, handle) = Reconciler::new(Dependencies {
        runtime: docker.clone(),
        volumes: docker.clone(),
        images: Arc::new(images.clone()),
        host: host.clone(),
        store: Arc::new(store.clone()),
        clock,
        codec: Arc::new(Codec),
        probe: Arc::new(Probe { host, images }),
        settings: EngineSettings {
            instance: instance.to_owned(),
            ..EngineSettings::default()
        },
        damage: Vec::new(),
    });
    work.spawn(reconciler.run(shutdown.clone()));
    handle
}

/// The Docker adapter of a rig's instance, for looking behind the engine's back.
pub(crate) fn outside(instance: &str) -> Docker {
    Docker::new(DockerConfig::new(instance.to_owned())).expect("the default endpoint")
}
