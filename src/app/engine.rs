//! One engine with real parts, for the daemon and for a task in the foreground alike: what runs in production is what
//! a developer runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::codec::LabelCodec;
use super::credentials::{self, RoleCredentials};
use super::error::AppError;
use super::figures::count_events;
use super::instance::instance_of;
use super::lifecycle::{Group, Lifecycle};
use super::measured::Measured;
use super::metadata_files::{self, WithFiles};
use super::network::{network, ways};
use super::settings;
use super::tracked::tracked;
use crate::aws::{Calls, Ecr, Secrets, Ways};
use crate::boundary::images::OwnFiles;
use crate::boundary::store::Damage;
use crate::boundary::{Clock, EcsFactsSource, ErrorKind, HostProbe, InstanceStore, TaskStore};
use crate::config::Config;
use crate::docker::Docker;
use crate::domain::credentials::RoleGrant;
use crate::domain::host::{Gpus, HostFacts};
use crate::domain::runtime::RuntimeInfo;
use crate::domain::task::Task;
use crate::ecs::Network;
use crate::error::ErrorChain;
use crate::images::{HostPlatform, ImagesHandle, Outside, ReadOwnFiles, service};
use crate::metrics::Counted;
use crate::platform::{
    FactSettings, HostOs, RawFacts, SystemClock, SystemIds, UsageOs, capacity, dynamic_ports,
    host_facts, listed_gpus, os_version, same_disk, tree_bytes,
};
use crate::reconcile::roles::wanted;
use crate::reconcile::settings::EngineSettings;
use crate::reconcile::{Dependencies, Reconciler, ReconcilerHandle};
use crate::secrets::HeldSecrets;
use crate::stats::{self, StatsHandle, StatsService};
use crate::store::{self, Opened};

/// How often images are looked at for clean-up; the image service keeps its own longer intervals within.
const SWEEP_PACE: Duration = Duration::from_mins(1);

/// First and longest wait while the state directory cannot be used.
const STORE_RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// The parts of a running engine that its drivers use.
pub struct Engine {
    /// The way in.
    pub handle: ReconcilerHandle,
    /// Docker, for output and to kill.
    pub docker: Arc<Docker>,
    /// Rows, for the timeline.
    pub store: Arc<dyn TaskStore>,
    /// What this host is to a control plane.
    pub instance_store: Arc<dyn InstanceStore>,
    /// What tasks use.
    pub stats: StatsHandle,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Images, as they are remembered.
    pub images: ImagesHandle,
    /// What is counted.
    pub counted: Arc<Counted>,
    /// Credentials of roles, for the listener that serves them.
    pub roles: RoleCredentials,
    /// How this host reaches AWS.
    pub network: Network,
    /// The ways to its services over that.
    pub ways: Ways,
    /// Whether no earlier state was found.
    pub fresh: bool,
}

/// Probes the host, and tells the image service what it found.
struct Probe {
    host: Arc<HostOs>,
    images: ImagesHandle,
    settings: FactSettings,
}

impl Probe {
    fn new(host: &Arc<HostOs>, images: &ImagesHandle, config: &Config) -> Self {
        Self {
            host: host.clone(),
            images: images.clone(),
            settings: settings::facts(config),
        }
    }
}

#[async_trait]
impl HostProbe for Probe {
    async fn probe(&self, info: &RuntimeInfo) -> HostFacts {
        let os_version = os_version();
        let platform = HostPlatform::from_docker(info, os_version.build);
        self.images.set_host(platform, info.root_dir.clone());
        host_facts(RawFacts {
            info,
            capacity: capacity(),
            os_version: &os_version,
            cgroups: self.host.probe_cgroups(info).await,
            dynamic_ports: dynamic_ports(),
            gpus: gpus(&self.settings).as_ref(),
            settings: &self.settings,
        })
    }
}

/// The GPUs that tasks may have; `None` = tasks get none. A list that cannot be read has none, and that is told.
fn gpus(settings: &FactSettings) -> Option<Gpus> {
    let listed = listed_gpus(settings.gpu_list.as_deref()?);
    Some(listed.unwrap_or_else(|error| {
        error!(
            event = "gpu-list-unreadable",
            error = %ErrorChain(&error),
            "ECS hears of no GPUs and tasks get none: the list of this host's GPUs cannot be read"
        );
        Gpus::default()
    }))
}

/// Opens the state directory and starts the engine's components. Waits for the directory as long as it
/// cannot be used (promise 4), except where that can never pass.
///
/// # Errors
/// A Docker endpoint that is not one.
pub async fn start(
    config: &Config,
    data_dir: &Path,
    lifecycle: &mut Lifecycle,
) -> Result<Engine, AppError> {
    let (group, records) = (&mut lifecycle.engine, &mut lifecycle.records);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let opened = open_store(data_dir, &clock, &group.stop_token()).await?;
    let instance = instance_of(data_dir);
    let counted = Arc::new(Counted::new());
    let (docker, measured) = docker(config, &instance, &counted)?;
    let host = Arc::new(HostOs::new(settings::host(config)));
    let (store, instance_store) = faces(opened.store, &counted);
    // What is set aside by this reading is not found by the engine's.
    let loaded = store.load().await.unwrap_or_default();
    let damage = told(opened.damage.into_iter().chain(loaded.damage));
    let mut settings = settings::engine(config, &instance);
    let files = metadata_files::root(config, data_dir);
    settings.endpoints.metadata_files.clone_from(&files);
    let grants = grants(&loaded.tasks, &settings);
    let network = network(&config.network);
    let ways = ways(&network);
    let given = (&clock, &counted, &ways);
    let roles = credentials::start(config, data_dir, given, grants, (group, records));
    let (tokens, secrets) = services(config, &ways, &roles);
    let asked = (tokens, secrets.clone());
    let outside = outside_of_images(config, data_dir, (&measured, &host, &clock), asked);
    let known = loaded.images;
    let (images_service, images) = service(settings::images(config), Outside { known, ..outside });
    let probe = Arc::new(Probe::new(&host, &images, config));
    let ecs: Arc<dyn EcsFactsSource> = Arc::new(roles.facts.clone());
    let had = settings.endpoints.credentials || settings.execution_roles;
    let (reconciler, handle) = Reconciler::new(Dependencies {
        runtime: Arc::new(WithFiles::new(measured.clone(), ecs.clone())),
        volumes: measured,
        images: Arc::new(Measured::new(Arc::new(images.clone()), counted.clone())),
        host,
        secrets: Arc::new(HeldSecrets::new(secrets)),
        store: store.clone(),
        clock: clock.clone(),
        ids: Arc::new(SystemIds),
        roles: had.then(|| roles.for_engine()),
        codec: Arc::new(LabelCodec),
        probe,
        meter: counted.clone(),
        settings,
        damage,
    });
    let stop = group.stop_token();
    group.start("images", images_service.run(stop.clone()));
    group.start("checkpoints", opened.checkpoints.run(stop.clone()));
    group.start("flushes", opened.flushes.run(stop.clone()));
    group.start("engine", reconciler.run(stop));
    metadata_files::start(files, config, (&handle, &ecs), group);
    let stats = start_beside(config, group, (&handle, &images), (&clock, &counted));
    info!(event = "engine-started", instance, data_dir = %data_dir.display(), "engine started");
    Ok(Engine {
        handle,
        docker,
        store,
        instance_store,
        stats,
        clock,
        images,
        counted,
        roles,
        network,
        ways,
        fresh: opened.fresh,
    })
}

/// Docker, and the same with its calls measured.
fn docker(
    config: &Config,
    instance: &str,
    counted: &Arc<Counted>,
) -> Result<(Arc<Docker>, Arc<Measured<Docker>>), AppError> {
    let docker = Docker::new(settings::docker(config, instance));
    let docker = Arc::new(docker.map_err(AppError::Docker)?);
    let measured = Measured::new(docker.clone(), counted.clone());
    Ok((docker, Arc::new(measured)))
}

fn outside_of_images(
    config: &Config,
    data_dir: &Path,
    (runtime, host, clock): (&Arc<Measured<Docker>>, &Arc<HostOs>, &Arc<dyn Clock>),
    (tokens, secrets): (Arc<Ecr>, Arc<Secrets>),
) -> Outside {
    Outside {
        runtime: runtime.clone(),
        host: host.clone(),
        tokens,
        secrets,
        logins: settings::logins(config),
        clock: clock.clone(),
        ids: Arc::new(SystemIds),
        own_files: own_files(data_dir),
        known: Vec::new(),
    }
}

/// The roles that tasks of the rows have.
fn grants(tasks: &[Task], settings: &EngineSettings) -> Vec<RoleGrant> {
    let grants = tasks.iter().flat_map(|task| wanted(task, settings));
    grants.collect()
}

/// The services that are called for tasks.
fn services(config: &Config, ways: &Ways, roles: &RoleCredentials) -> (Arc<Ecr>, Arc<Secrets>) {
    let own = Arc::new(roles.handle.clone());
    let (settings, ways) = (settings::calls(config), ways.clone());
    let calls = Arc::new(Calls::new(settings, ways, own, Arc::new(SystemClock)));
    let tokens = Arc::new(Ecr::new(Arc::clone(&calls)));
    (tokens, Arc::new(Secrets::new(calls)))
}

/// What the agent keeps in its directory.
fn own_files(data_dir: &Path) -> ReadOwnFiles {
    let data_dir = data_dir.to_owned();
    Arc::new(move |beside| OwnFiles {
        bytes: tree_bytes(&data_dir),
        same_disk: same_disk(&data_dir, Path::new(beside)),
    })
}

/// The one store as the engine sees it, measured, and as the driver of connected mode does.
fn faces(
    store: impl TaskStore + InstanceStore + 'static,
    counted: &Arc<Counted>,
) -> (Arc<dyn TaskStore>, Arc<dyn InstanceStore>) {
    let store = Arc::new(store);
    let tasks = Measured::new(store.clone(), counted.clone());
    (Arc::new(tasks), store)
}

/// What could not be read, in words that are also logged.
fn told(damage: impl Iterator<Item = Damage>) -> Vec<String> {
    let messages: Vec<String> = damage.map(|damage| damage.message).collect();
    for message in &messages {
        warn!(event = "state-damaged", "{message}");
    }
    messages
}

/// Starts what looks at the engine and is not needed by it: usage, figures, clean-up of images.
fn start_beside(
    config: &Config,
    group: &mut Group,
    (engine, images): (&ReconcilerHandle, &ImagesHandle),
    (clock, counted): (&Arc<dyn Clock>, &Arc<Counted>),
) -> StatsHandle {
    let stop = group.stop_token();
    let (readings, stats) = readings(config, engine, clock);
    group.start("usage readings", readings.run(stop.clone()));
    group.start(
        "figures",
        count_events(counted.clone(), engine.clone(), stop.clone()),
    );
    group.start("disk use", images.clone().watch_disk(stop.clone()));
    group.start(
        "image clean-up",
        sweep(images.clone(), engine.clone(), stop),
    );
    stats
}

/// Readings of what the engine's containers use.
fn readings(
    config: &Config,
    engine: &ReconcilerHandle,
    clock: &Arc<dyn Clock>,
) -> (StatsService, StatsHandle) {
    let engine = engine.clone();
    stats::service(
        settings::stats(config),
        stats::Outside {
            source: Arc::new(UsageOs::new(settings::usage(config))),
            clock: clock.clone(),
            changes: engine.changes(),
            tracked: Arc::new(move || tracked(&engine.snapshot())),
        },
    )
}

async fn open_store(
    data_dir: &Path,
    clock: &Arc<dyn Clock>,
    stop: &CancellationToken,
) -> Result<Opened, AppError> {
    let (mut wait, longest) = STORE_RETRY;
    loop {
        match store::open(data_dir, clock.clone()).await {
            Ok(opened) => return Ok(opened),
            Err(error) if error.kind == ErrorKind::Invalid => {
                return Err(AppError::Store(error));
            }
            Err(error) => {
                warn!(event = "data-directory-unusable", error = %ErrorChain(&error), "the state directory cannot be used; trying again");
            }
        }
        if stop
            .run_until_cancelled(tokio::time::sleep(wait))
            .await
            .is_none()
        {
            return Err(AppError::Cancelled);
        }
        wait = wait.saturating_mul(2).min(longest);
    }
}

/// Cleans images up now and then, and has the engine forget those that are gone.
async fn sweep(images: ImagesHandle, engine: ReconcilerHandle, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(SWEEP_PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let Some(report) = stop.run_until_cancelled(images.sweep()).await else {
            return;
        };
        for removal in &report.removed {
            info!(
                event = "image-removed",
                image = removal.names.join(", "),
                id = removal.image_id,
                "image removed"
            );
        }
        if !report.forgotten.is_empty() {
            engine.forget_images(report.forgotten);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_gpus_that_cannot_be_read_has_none_and_ends_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let list = dir.path().join("gpus.json");
        let mut config = Config::of_environment(&[]);
        assert_eq!(gpus(&settings::facts(&config)), None, "tasks get none");
        config.host.gpu_list = Some(list.clone());
        let facts = settings::facts(&config);
        assert_eq!(gpus(&facts), Some(Gpus::default()));
        std::fs::write(&list, r#"{"GPUIDs": ["GPU-1"]}"#).expect("written");
        let found = gpus(&facts).expect("a list");
        assert_eq!(found.ids, ["GPU-1".to_owned()].into());
    }
}
