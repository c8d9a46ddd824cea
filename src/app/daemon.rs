//! `berth agent`: the engine, the admin API on its socket and the watch of a directory, composed.
//!
//! **Invariant.** The socket is bound before anything starts, so that an agent that is up can be asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::claim::serve;
use super::conditions::Conditions;
use super::engine::{self, Engine};
use super::error::AppError;
use super::farewell;
use super::figures::AgentFigures;
use super::foreground::clean_up_killed;
use super::handed::{ADMIN, HandedOver};
use super::host_rules;
use super::judge::DefinitionJudge;
use super::kept_rules::{lead, put_up, start_keepers};
use super::lifecycle::Lifecycle;
use super::place::{admin_address_of, data_dir_of, system};
use super::plan_source::EnginePlans;
use super::settings;
use super::surroundings::{Beside, ListenerBoard, Watched, settings_answer};
use crate::api::{
    AdminState, LocalServer, ObserveState, Router, Switch, admin_router, starting_router,
};
use crate::boundary::ContainerRuntime;
use crate::config::Config;
use crate::domain::task::TaskOptions;
use crate::platform;
use crate::platform::local::LocalBindError;
use crate::platform::{
    DataDirLock, LockError, SystemIds, private_directory, release_start_up_code, shutdown_signals,
};
use crate::standalone::watch::{Watch, WatchConfig, WatchDeps};

/// File of the records of the watched directory, in the data directory.
const RECORDS: &str = "task-files.json";

/// How often a socket that cannot be bound is tried again.
const BIND_RETRY: Duration = Duration::from_secs(5);

/// After that, code that has not run is code of the start.
const START_UP: Duration = Duration::from_secs(1);

/// How often a data directory on a full disk is tried again.
const ROOM_RETRY: Duration = Duration::from_secs(2);

/// Runs the agent until a signal asks it to end. Running containers are left alone. `files` says how tasks of the
/// watched directory are run.
///
/// # Errors
/// If another agent has the data directory, or a component ended by itself.
pub async fn run(config: &Config, files: TaskOptions) -> Result<(), AppError> {
    let signals = Mutex::new(shutdown_signals().map_err(AppError::Signals)?);
    let next = async || {
        let (_, name) = signals.lock().await.next().await;
        info!(
            event = "stopping",
            signal = name,
            "asked to end; containers are left running"
        );
    };
    let mut config = config.clone();
    serve(system(), &mut config);
    tell_limits();
    let data_dir = data_dir_of(&config);
    // Cancel-safe: a lock that was not had is not held.
    let _lock = tokio::select! {
        lock = hold(&data_dir) => lock?,
        () = next() => return Ok(()),
    };
    let mut lifecycle = Lifecycle::default();
    let address = admin_address_of(&config);
    let mut handed = HandedOver::take(&config);
    let server = admin_server(&mut handed, &address).await;
    let (listeners, switch) = (ListenerBoard::default(), Switch::default());
    serve_admin(
        &mut lifecycle,
        server,
        address,
        listeners.clone(),
        switch.clone(),
    );
    let conditions = Conditions::default();
    let started = async {
        let lead = lead(&mut config, &mut handed, &conditions).await;
        host_rules::settle(&config, &data_dir).await;
        // Before the first container starts.
        let rules = put_up(&config, lead, &conditions).await;
        let engine = engine::start(&config, &data_dir, &mut lifecycle).await;
        engine.map(|engine| (engine, rules))
    };
    // Cancel-safe: what has begun is in the group, which goes with this function.
    let (engine, rules) = tokio::select! {
        started = started => started?,
        () = next() => return Ok(()),
    };
    let config = &config;
    let watched = start_watch(&mut lifecycle, config, &engine, files);
    start_keepers(&mut lifecycle, config, &engine, rules, &conditions);
    let leave = CancellationToken::new();
    let connected = super::connected::start(&mut lifecycle, config, &engine, leave.clone());
    let beside = Beside {
        listeners: listeners.clone(),
        conditions,
        watched,
        connected,
    };
    let observe = observe_state(config, &engine, beside);
    super::listeners::start(
        &mut lifecycle,
        config,
        &engine,
        &observe,
        (&listeners, &mut handed),
    );
    let stop = lifecycle.drivers.stop_token();
    let told = handed.teller().run(observe.clone(), stop);
    lifecycle.drivers.start("progress", told);
    switch.up(admin(config, &engine, observe));
    start_housekeeping(&mut lifecycle, config);
    let asked = until_asked(config, (&engine, &leave), next(), next());
    Ok(lifecycle.run(asked, next()).await?)
}

/// Returns when the agent is to end. Asked once more it takes no leave.
async fn until_asked(
    config: &Config,
    (engine, leave): (&Engine, &CancellationToken),
    asked: impl Future<Output = ()> + Send,
    again: impl Future<Output = ()> + Send,
) {
    asked.await;
    if let Some(limit) = config.host_shutdown {
        let leave = config.connected.is_some().then_some(leave);
        // Cancel-safe: the stops that were asked for are durable.
        tokio::select! {
            () = farewell::say(&engine.handle, leave, limit) => {}
            () = again => {}
        }
    }
}

/// What is not to be had on this system.
fn tell_limits() {
    let missing = platform::missing_here();
    if !missing.is_empty() {
        info!(
            event = "system-limits",
            missing = missing.join(", "),
            "this system does not have everything that the agent uses elsewhere"
        );
    }
}

/// The admin socket: the one that was handed over, else a new one.
async fn admin_server(
    handed: &mut HandedOver,
    address: &Path,
) -> Result<LocalServer, LocalBindError> {
    match handed.admin() {
        Some(socket) => LocalServer::of(socket, address.to_owned()).map_err(LocalBindError::Handed),
        None => LocalServer::bind(address).await,
    }
}

/// Starts what cleans up after this agent's start and after runs that were killed.
fn start_housekeeping(lifecycle: &mut Lifecycle, config: &Config) {
    let stop = lifecycle.drivers.stop_token();
    lifecycle.drivers.start("memory of the start", async move {
        let _ended = stop.run_until_cancelled(tokio::time::sleep(START_UP)).await;
        // Not in the line itself, whose values are only computed where it is written.
        let bytes = release_start_up_code();
        debug!(bytes, "let go of code of the start");
        stop.cancelled().await;
    });
    let killed = (config.clone(), lifecycle.drivers.stop_token());
    lifecycle
        .drivers
        .start("clean-up of killed runs", async move {
            let (config, stop) = killed;
            let _ended = stop.run_until_cancelled(clean_up_killed(&config)).await;
            stop.cancelled().await;
        });
}

/// Makes and locks the data directory; waits for room on its disk (promise 4).
async fn hold(data_dir: &Path) -> Result<DataDirLock, AppError> {
    loop {
        let made = private_directory(data_dir).map_err(|source| AppError::Directory {
            path: data_dir.to_owned(),
            source,
        });
        match made.and_then(|()| Ok(DataDirLock::acquire(data_dir)?)) {
            Err(error) if wants_room(&error) => {
                let error = crate::error::ErrorChain(&error).to_string();
                warn!(
                    event = "data-directory-unusable",
                    error, "the data directory cannot be used; trying again"
                );
            }
            settled => return settled,
        }
        tokio::time::sleep(ROOM_RETRY).await;
    }
}

fn wants_room(error: &AppError) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    let (AppError::Directory { source, .. } | AppError::Lock(LockError::Open { source, .. })) =
        error
    else {
        return false;
    };
    matches!(source.kind(), StorageFull | QuotaExceeded)
}

/// What questions are answered from.
fn observe_state(config: &Config, engine: &Engine, beside: Beside) -> ObserveState {
    ObserveState {
        engine: engine.handle.clone(),
        store: engine.store.clone(),
        images: Arc::new(engine.images.clone()),
        figures: Arc::new(AgentFigures {
            counted: engine.counted.clone(),
            engine: engine.handle.clone(),
            images: Arc::new(engine.images.clone()),
            usage: engine.stats.clone(),
            audit: engine.roles.audit.clone(),
            connected: beside.connected.clone(),
            clock: engine.clock.clone(),
        }),
        usage: engine.stats.clone(),
        surroundings: Arc::new(beside),
        settings: Arc::new(settings_answer(config)),
        clock: engine.clock.clone(),
        cluster: config.cluster.clone(),
    }
}

/// Serves the admin socket from now on; `switch` puts the engine's answers in place.
fn serve_admin(
    lifecycle: &mut Lifecycle,
    server: Result<LocalServer, LocalBindError>,
    address: PathBuf,
    listeners: ListenerBoard,
    switch: Switch,
) {
    let router = starting_router(switch, Arc::new(SystemIds));
    let stop = lifecycle.drivers.stop_token();
    lifecycle.drivers.start("admin api", async move {
        let mut server = server;
        loop {
            match server {
                Ok(bound) => {
                    info!(event = "listening", socket = %bound.path().display(), "admin API listens");
                    listeners.set(ADMIN, Ok(bound.path().display().to_string()));
                    return bound.run(router, stop).await;
                }
                Err(error) => {
                    let error = crate::error::ErrorChain(&error).to_string();
                    // Tried again every few seconds: told when the cause is another.
                    if listeners.set(ADMIN, Err(error.clone())) {
                        warn!(event = "listener-failed", error, "the admin socket cannot be had; trying again");
                    }
                }
            }
            if stop
                .run_until_cancelled(tokio::time::sleep(BIND_RETRY))
                .await
                .is_none()
            {
                return;
            }
            server = LocalServer::bind(&address).await;
        }
    });
}

/// The admin API over the engine.
fn admin(config: &Config, engine: &Engine, observe: ObserveState) -> Router {
    let runtime: Arc<dyn ContainerRuntime> = engine.docker.clone();
    admin_router(AdminState {
        observe,
        runtime,
        planner: Arc::new(EnginePlans::new(config.clone(), engine.handle.clone())),
        ids: Arc::new(SystemIds),
    })
}

fn start_watch(
    lifecycle: &mut Lifecycle,
    config: &Config,
    engine: &Engine,
    options: TaskOptions,
) -> Option<Watched> {
    let dir = config.standalone.tasks_dir.clone()?;
    let directory = dir.clone();
    info!(event = "task-files-watched", dir = %dir.display(), "task files are watched");
    let policy = config.engine.fit_policy();
    let watched = WatchConfig {
        dir,
        records: data_dir_of(config).join(RECORDS),
        fresh: engine.fresh,
        policy: settings::replacement(config),
        cluster: config.cluster.clone(),
        options,
    };
    let deps = WatchDeps {
        engine: Arc::new(engine.handle.clone()),
        judge: Arc::new(DefinitionJudge { policy }),
        clock: engine.clock.clone(),
        store: Arc::clone(&engine.store),
    };
    let (watch, status) = Watch::new(watched, deps);
    let stop = lifecycle.drivers.stop_token();
    lifecycle.drivers.start("task files", watch.run(stop));
    Some(Watched { directory, status })
}
