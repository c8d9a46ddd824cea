//! The only way into the engine for drivers: desired state in, snapshots and events out.
//!
//! Desired state is durable when a call returns (style R4). Calls are refused with [`HandleError::Busy`] when the
//! engine's queue is full and with [`HandleError::Closed`] when it has shut down.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::snapshot::Snapshot;
use crate::boundary::store::StoredEvent;
use crate::domain::credentials::CredentialsId;
use crate::domain::definition::TaskDefinition;
use crate::domain::ids::{Generation, TaskArn, UnixMillis};
use crate::domain::reason::Reason;
use crate::domain::task::{EcsFacts, Origin, Reported, TaskOptions};

/// Commands that may wait for the worker: one payload of the largest kind seen (1,000 tasks) fits.
pub(super) const COMMAND_CAPACITY: usize = 1024;

/// Events kept for a slow reader before it is told that it lags: ten for each of 400 tasks.
pub(super) const EVENT_CAPACITY: usize = 4096;

/// A task to be run.
#[derive(Clone, Debug)]
pub struct PutTask {
    /// The key. The caller chooses it, so that a repeated call is the same call.
    pub arn: TaskArn,
    /// What shall run, overrides applied.
    pub definition: Arc<TaskDefinition>,
    /// How to run it here.
    pub options: TaskOptions,
    /// Who asks.
    pub origin: Origin,
    /// The generation the caller has seen; `Some` makes the call conditional (style R9). `None` = a new task, or
    /// the same again.
    pub expected_generation: Option<Generation>,
}

/// What somebody else has decided of a new task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Id of the credentials of its task role; `None` = one is drawn if it has the role.
    pub task_role: Option<CredentialsId>,
    /// Id of those of its execution role.
    pub execution_role: Option<CredentialsId>,
    /// It shall not run but be seen stopped, for this reason.
    pub stop: Option<Reason>,
    /// What ECS says of it beside its definition.
    pub ecs: EcsFacts,
}

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// A new task.
    Created(Generation),
    /// The task was there with the same content.
    Unchanged(Generation),
}

/// Why a call was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// No such task.
    #[error("there is no task {0}")]
    NotFound(TaskArn),
    /// The task exists with another definition; a definition cannot change under a task.
    #[error("task {0} exists with another definition")]
    Conflict(TaskArn),
    /// The expected generation is not the present one.
    #[error("task {arn} is at generation {present}, not {expected}")]
    Generation {
        /// Task.
        arn: TaskArn,
        /// Present one.
        present: Generation,
        /// Expected one.
        expected: Generation,
    },
    /// The state cannot be made durable now.
    #[error("state cannot be written: {0}")]
    NotDurable(String),
    /// Too many calls wait.
    #[error("the engine has too many calls waiting")]
    Busy,
    /// The engine has shut down.
    #[error("the engine has shut down")]
    Closed,
}

/// What travels to the worker.
#[derive(Debug)]
pub(super) enum Command {
    Put(
        PutTask,
        Given,
        oneshot::Sender<Result<PutOutcome, HandleError>>,
    ),
    /// With words, the control plane has refused it for good.
    Reported(
        TaskArn,
        Reported,
        Option<String>,
        oneshot::Sender<Result<(), HandleError>>,
    ),
    Stop(
        TaskArn,
        Reason,
        oneshot::Sender<Result<Generation, HandleError>>,
    ),
    Remove(
        TaskArn,
        Reason,
        oneshot::Sender<Result<Generation, HandleError>>,
    ),
    ForgetImages(Vec<String>),
    /// The region that the host is in.
    Region(String),
    /// `None` ends the draining.
    Drain(Option<String>, oneshot::Sender<Result<(), HandleError>>),
}

/// Cheap to clone; hides the channels.
#[derive(Clone, Debug)]
pub struct ReconcilerHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) changed: watch::Receiver<u64>,
    pub(super) events: broadcast::Sender<StoredEvent>,
    pub(super) turned_at: Arc<AtomicI64>,
}

impl ReconcilerHandle {
    /// The task is durable and will be run.
    ///
    /// # Errors
    /// `Conflict` or `Generation` if it exists otherwise; `NotDurable`, `Busy`, `Closed`.
    pub async fn put(&self, task: PutTask) -> Result<PutOutcome, HandleError> {
        self.put_given(task, Given::default()).await
    }

    /// [`Self::put`] of a task of which something is decided already. It counts for a new task only.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn put_given(&self, task: PutTask, given: Given) -> Result<PutOutcome, HandleError> {
        self.ask(|reply| Command::Put(task, given, reply)).await
    }

    /// What the control plane has acknowledged of the task is durable.
    ///
    /// # Errors
    /// `NotFound`, `NotDurable`, `Busy`, `Closed`.
    pub async fn reported(&self, arn: &TaskArn, reported: Reported) -> Result<(), HandleError> {
        self.ask(|reply| Command::Reported(arn.clone(), reported, None, reply))
            .await
    }

    /// The control plane will never acknowledge that much of the task: it counts as told, durably, and the task's
    /// timeline says why.
    ///
    /// # Errors
    /// As [`Self::reported`].
    pub async fn given_up(
        &self,
        arn: &TaskArn,
        reported: Reported,
        why: String,
    ) -> Result<(), HandleError> {
        self.ask(|reply| Command::Reported(arn.clone(), reported, Some(why), reply))
            .await
    }

    /// The wish to stop is durable. A task that is stopping already is left as it is.
    ///
    /// # Errors
    /// `NotFound`, `NotDurable`, `Busy`, `Closed`.
    pub async fn stop(&self, arn: &TaskArn, reason: Reason) -> Result<Generation, HandleError> {
        self.ask(|reply| Command::Stop(arn.clone(), reason, reply))
            .await
    }

    /// The wish to stop and to remove everything of the task is durable.
    ///
    /// # Errors
    /// `NotFound`, `NotDurable`, `Busy`, `Closed`.
    pub async fn remove(&self, arn: &TaskArn, reason: Reason) -> Result<Generation, HandleError> {
        self.ask(|reply| Command::Remove(arn.clone(), reason, reply))
            .await
    }

    /// It is durable that no new task starts on this instance; what has begun goes on. An instance that drains already
    /// is left as it is.
    ///
    /// # Errors
    /// `NotDurable`, `Busy`, `Closed`.
    pub async fn drain(&self, reason: String) -> Result<(), HandleError> {
        self.ask(|reply| Command::Drain(Some(reason), reply)).await
    }

    /// It is durable that tasks start on this instance again.
    ///
    /// # Errors
    /// `NotDurable`, `Busy`, `Closed`.
    pub async fn end_draining(&self) -> Result<(), HandleError> {
        self.ask(|reply| Command::Drain(None, reply)).await
    }

    /// These images are gone from the host: their records go with the next commit. What is refused now is told
    /// again by the next clean-up.
    pub fn forget_images(&self, references: Vec<String>) {
        let _refused = self.commands.try_send(Command::ForgetImages(references));
    }

    /// The host is in that region: containers that are made from now on are told so, unless a region is set. Waits
    /// only for room among the commands.
    pub async fn found_region(&self, region: String) {
        // An engine that has ended makes no containers.
        let _ended = self.commands.send(Command::Region(region)).await;
    }

    /// The state after the last commit.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Changes whenever a new snapshot is published; the value is a counter.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    /// Events from now on. A reader that lags behind the channel's capacity is told how many it missed and can read
    /// them from the store.
    pub fn events(&self) -> broadcast::Receiver<StoredEvent> {
        self.events.subscribe()
    }

    /// Last turn of the engine's loop; `None` = it has not begun. It turns every few seconds also where nothing happens.
    pub fn turned_at(&self) -> Option<UnixMillis> {
        let at = self.turned_at.load(Ordering::Relaxed);
        (at != 0).then_some(UnixMillis(at))
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, HandleError>>) -> Command,
    ) -> Result<T, HandleError> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .try_send(command(reply))
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => HandleError::Busy,
                mpsc::error::TrySendError::Closed(_) => HandleError::Closed,
            })?;
        answer.await.unwrap_or(Err(HandleError::Closed))
    }
}
