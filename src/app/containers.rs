//! What somebody in front of a terminal may do to containers beside the engine: read their output, and kill them.
//!
//! **Invariant.** Nothing here changes desired or known state; the engine sees a kill as it sees any other end.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::boundary::{BoundaryError, ContainerRuntime};
use crate::domain::ids::DockerId;
use crate::domain::runtime::{OutputChunk, OutputRange};
use crate::error::ErrorChain;

/// A call to the container engine failed: what was tried and why, with all causes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ContainerError(String);

impl From<BoundaryError> for ContainerError {
    fn from(error: BoundaryError) -> Self {
        Self(ErrorChain(&error).to_string())
    }
}

/// Output until it ends.
pub type Output = BoxStream<'static, Result<OutputChunk, ContainerError>>;

/// The containers of the host. Cheap to clone.
#[derive(Clone)]
pub struct Containers {
    runtime: Arc<dyn ContainerRuntime>,
}

impl Containers {
    /// Those of this engine.
    pub fn new(runtime: Arc<dyn ContainerRuntime>) -> Self {
        Self { runtime }
    }

    /// Output from the beginning, going on while the container runs.
    ///
    /// # Errors
    /// If it cannot be read, for example because of the container's log driver.
    pub async fn output(&self, id: &DockerId) -> Result<Output, ContainerError> {
        let chunks = self.runtime.logs(id, OutputRange::FOLLOW).await?;
        Ok(chunks.map(|chunk| Ok(chunk?)).boxed())
    }

    /// SIGKILL was sent. Success if it does not run or is gone.
    ///
    /// # Errors
    /// If the container engine refuses or does not answer.
    pub async fn kill(&self, id: &DockerId) -> Result<(), ContainerError> {
        Ok(self.runtime.kill(id).await?)
    }
}
