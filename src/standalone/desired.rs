//! What the watch needs of its surroundings: the engine's handle, and somebody who reads task definitions.
//!
//! Two narrow traits, so that the service is tested without an engine and without JSON.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::domain::definition::TaskDefinition;
use crate::domain::host::HostFacts;
use crate::domain::ids::{Generation, TaskArn};
use crate::domain::reason::Reason;
use crate::domain::task::TaskOptions;
use crate::reconcile::handle::{HandleError, PutOutcome, PutTask, ReconcilerHandle};
use crate::reconcile::snapshot::Snapshot;

/// The engine, as far as a driver goes. Postconditions are those of [`ReconcilerHandle`].
#[async_trait]
pub trait Engine: Send + Sync {
    /// The state after the last commit.
    fn snapshot(&self) -> Arc<Snapshot>;

    /// Changes with each new snapshot.
    fn changes(&self) -> watch::Receiver<u64>;

    /// The task is durable and will be run.
    async fn put(&self, task: PutTask) -> Result<PutOutcome, HandleError>;

    /// The wish to stop is durable.
    async fn stop(&self, arn: &TaskArn, reason: Reason) -> Result<Generation, HandleError>;

    /// The wish to stop and to remove everything is durable.
    async fn remove(&self, arn: &TaskArn, reason: Reason) -> Result<Generation, HandleError>;
}

#[async_trait]
impl Engine for ReconcilerHandle {
    fn snapshot(&self) -> Arc<Snapshot> {
        Self::snapshot(self)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        Self::changes(self)
    }

    async fn put(&self, task: PutTask) -> Result<PutOutcome, HandleError> {
        Self::put(self, task).await
    }

    async fn stop(&self, arn: &TaskArn, reason: Reason) -> Result<Generation, HandleError> {
        Self::stop(self, arn, reason).await
    }

    async fn remove(&self, arn: &TaskArn, reason: Reason) -> Result<Generation, HandleError> {
        Self::remove(self, arn, reason).await
    }
}

/// A task definition with what there is to say about it, one line each.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What shall run.
    pub definition: Arc<TaskDefinition>,
    /// What somebody should look at.
    pub warnings: Vec<String>,
}

/// What is to be said of a task definition, by its reader or by the host, one line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why it cannot run here; empty = it can.
    pub refused: Vec<String>,
    /// What is changed or ignored here, or somebody should look at.
    pub warnings: Vec<String>,
}

impl Verdict {
    /// It cannot run, for this reason alone.
    pub fn refused(why: impl Into<String>) -> Self {
        Self {
            refused: vec![why.into()],
            warnings: Vec::new(),
        }
    }
}

/// Reads and judges task definitions. Pure.
pub trait Judge: Send + Sync {
    /// The definition in the file of that name.
    ///
    /// # Errors
    /// Every reason why there is none, and the warnings beside them.
    fn read(&self, name: &str, bytes: &[u8]) -> Result<Draft, Verdict>;

    /// What this host makes of it.
    fn fit(&self, definition: &TaskDefinition, options: &TaskOptions, host: &HostFacts) -> Verdict;
}
