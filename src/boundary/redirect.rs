//! The classic way in which containers reach the task server: rules that send what they ask for to its port.

use async_trait::async_trait;

use super::error::BoundaryError;

/// Sends connections to 169.254.170.2 port 80 to the task server on loopback, of containers and of this host's programs.
#[async_trait]
pub trait TaskRedirect: Send + Sync {
    /// The rules are there, each once. `true` = some were not before.
    ///
    /// # Errors
    /// `Invalid` where this host can have none, and what would be needed.
    async fn ensure(&self) -> Result<bool, BoundaryError>;

    /// None of the rules is there, and what was set with them is as it is by default.
    async fn release(&self) -> Result<(), BoundaryError>;
}
