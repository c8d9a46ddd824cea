//! `berth run`'s side of the composition: one task on an engine of its own, in a state directory of its own.
//!
//! **Invariant.** The state directory of a run is locked while the run lives and goes with it; one that is not locked
//! was left by a run that was killed, and is cleaned up by whoever starts next,
//! unless it says that it is to be kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::claim::Claim;
use super::conditions::Conditions;
use super::containers::Containers;
use super::engine;
use super::error::AppError;
use super::lifecycle::Lifecycle;
use super::listeners::start_task_server;
use super::metadata_barrier::Keeper;
use super::place::data_dir_of;
use super::surroundings::ListenerBoard;
use crate::boundary::{ContainerRuntime, Ids};
use crate::config::Config;
use crate::domain::definition::TaskDefinition;
use crate::domain::ids::TaskArn;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::status::TaskStatus;
use crate::domain::task::{Origin, TaskOptions};
use crate::error::ErrorChain;
use crate::platform::{
    BarrierOs, DataDirLock, ShutdownSignals, SystemIds, private_directory, private_file,
    shutdown_signals,
};
use crate::reconcile::ReconcilerHandle;
use crate::reconcile::handle::PutTask;
use crate::standalone::desired::Engine;

/// Directory of the runs in the data directory.
const RUNS: &str = "runs";

/// File in the state directory of a run whose task was to be kept: nobody cleans it up.
const KEPT: &str = "kept";

/// How long the clean-up of one killed run may take before the rest is left to the next start.
const CLEAN_UP: Duration = Duration::from_mins(2);

/// Listens for requests to end from now on.
///
/// # Errors
/// The operating system refuses the handler.
pub fn interrupts() -> Result<ShutdownSignals, AppError> {
    shutdown_signals().map_err(AppError::Signals)
}

/// What becomes of a task that has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// What is left of it is cleaned up at the next start.
    Remove,
    /// It stays, the state directory included, until somebody removes it by hand.
    Keep,
}

/// A task in the foreground.
pub struct Foreground {
    /// The engine that has the task.
    pub engine: Arc<dyn Engine>,
    /// For output, and to kill.
    pub containers: Containers,
    /// The task.
    pub arn: TaskArn,
    /// The state directory.
    pub dir: PathBuf,
    lifecycle: Lifecycle,
    handle: ReconcilerHandle,
    _lock: DataDirLock,
}

impl Foreground {
    /// Starts an engine, serves containers where that was claimed, and puts the task.
    ///
    /// # Errors
    /// If the state directory cannot be used or the engine refuses the task.
    pub async fn start(
        config: &Config,
        definition: TaskDefinition,
        options: TaskOptions,
        claim: Option<&Claim>,
    ) -> Result<Self, AppError> {
        let config = &keeping_nothing(config);
        let id = SystemIds.task_id();
        let dir = runs_dir(config).join(id.as_str());
        private_directory(&dir).map_err(|source| AppError::Directory {
            path: dir.clone(),
            source,
        })?;
        let lock = DataDirLock::acquire(&dir)?;
        let mut lifecycle = Lifecycle::default();
        let barrier = claim.filter(|claim| claim.puts_up_barrier()).map(|_| {
            let families = config.host.instance_metadata_families.iter().cloned();
            let conditions = Conditions::default();
            Keeper::new(BarrierOs::default(), families.collect(), conditions)
        });
        if let Some(barrier) = &barrier {
            // Before the first container starts.
            barrier.put_up().await;
        }
        let engine = engine::start(config, &dir, &mut lifecycle).await?;
        if let Some(barrier) = barrier {
            let stop = lifecycle.drivers.stop_token();
            let kept = barrier.keep(engine.handle.clone(), stop);
            lifecycle.drivers.start("instance metadata barrier", kept);
        }
        if let Some(claim) = claim {
            let (mut handed, server) = claim.handed(config).map_err(AppError::Claim)?;
            let board = (&ListenerBoard::default(), &mut handed);
            start_task_server(&mut lifecycle, config, &engine, server, board);
            if let Some(lead) = claim.keeper() {
                let stop = lifecycle.drivers.stop_token();
                lifecycle.drivers.start("task lead", lead.keep(stop));
            }
        }
        let arn = TaskArn::standalone(&config.cluster, &id);
        let put = PutTask {
            arn: arn.clone(),
            definition: Arc::new(definition),
            options,
            origin: Origin::Run,
            expected_generation: None,
        };
        engine.handle.put(put).await?;
        let runtime: Arc<dyn ContainerRuntime> = engine.docker;
        Ok(Self {
            engine: Arc::new(engine.handle.clone()),
            containers: Containers::new(runtime),
            arn,
            dir,
            lifecycle,
            handle: engine.handle,
            _lock: lock,
        })
    }

    /// Runs the engine until `session` is over, then ends it, and removes the state directory if nothing is left of
    /// the task.
    ///
    /// # Errors
    /// If a component of the engine ended by itself.
    pub async fn until<T>(
        self,
        session: impl Future<Output = T>,
        leftovers: Leftovers,
    ) -> Result<T, AppError> {
        let mut answer = None;
        let asked = async { answer = Some(session.await) };
        let ended = self.lifecycle.run(asked, std::future::pending()).await;
        let tasks = &self.handle.snapshot().tasks;
        let mut tasks = tasks.values().map(|view| view.task.known.status);
        if tasks.len() == 0 {
            remove_dir(&self.dir);
        } else if leftovers == Leftovers::Keep && tasks.all(|status| status == TaskStatus::Stopped)
        {
            keep_dir(&self.dir);
        }
        ended?;
        answer.ok_or(AppError::Cancelled)
    }
}

/// Where the state directories of runs are.
pub fn runs_dir(config: &Config) -> PathBuf {
    data_dir_of(config).join(RUNS)
}

/// Removes what runs that were killed have left: their containers, volumes and state directories. Runs that live, and
/// what is to be kept, are left alone.
pub async fn clean_up_killed(config: &Config) {
    let Ok(entries) = std::fs::read_dir(runs_dir(config)) else {
        return;
    };
    for dir in entries.flatten().map(|entry| entry.path()) {
        if dir.join(KEPT).exists() {
            continue;
        }
        let Ok(lock) = DataDirLock::acquire(&dir) else {
            continue;
        };
        match tokio::time::timeout(CLEAN_UP, clean_up(config, &dir)).await {
            Ok(Ok(())) => remove_dir(&dir),
            Ok(Err(error)) => {
                tracing::warn!(event = "killed-run-left", error = %ErrorChain(&error), dir = %dir.display(), "a killed run is left");
            }
            Err(_) => {
                tracing::warn!(event = "killed-run-left", dir = %dir.display(), "a killed run could not be cleaned up in time");
            }
        }
        drop(lock);
    }
}

/// A run that was killed is not gone on with, so that its credentials are of no further use.
fn keeping_nothing(config: &Config) -> Config {
    let mut config = config.clone();
    config.credentials.keep = false;
    config
}

async fn clean_up(config: &Config, dir: &Path) -> Result<(), AppError> {
    let config = &keeping_nothing(config);
    let mut lifecycle = Lifecycle::default();
    let engine = engine::start(config, dir, &mut lifecycle).await?;
    let handle = engine.handle;
    let gone = async {
        let mut changes = handle.changes();
        loop {
            let snapshot = handle.snapshot();
            // Asking again for what is asked for already would be a change of its own, and so go on without end.
            let left = snapshot.tasks.iter();
            for (arn, _) in left.filter(|(_, view)| !view.task.desired.remove) {
                let reason =
                    Reason::new(ReasonName::UserInitiated, "its foreground run was killed");
                // A task that is gone by now needs no removal; anything else is asked for again.
                let _refused = handle.remove(arn, reason).await;
            }
            let looked = snapshot.engine.relisted_at.is_some();
            if (looked && snapshot.tasks.is_empty()) || changes.changed().await.is_err() {
                break;
            }
        }
    };
    Ok(lifecycle.run(gone, std::future::pending()).await?)
}

fn keep_dir(dir: &Path) {
    if let Err(error) = private_file(&dir.join(KEPT)) {
        tracing::warn!(event = "run-directory", %error, dir = %dir.display(), "the next start will remove what was to be kept");
    }
}

fn remove_dir(dir: &Path) {
    if let Err(error) = std::fs::remove_dir_all(dir) {
        tracing::warn!(event = "run-directory", %error, dir = %dir.display(), "a state directory cannot be removed");
    }
}
