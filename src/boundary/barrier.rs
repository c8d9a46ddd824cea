//! What keeps containers away from the instance metadata service of their host.

use std::collections::BTreeSet;
use std::net::IpAddr;

use async_trait::async_trait;

use super::error::BoundaryError;

/// Refuses what this host forwards, or takes in from others, for 169.254.169.254 and `fd00:ec2::254`. Programs on the
/// host's own network are not held back: they are the host's to tell apart.
#[async_trait]
pub trait MetadataBarrier: Send + Sync {
    /// The barrier is up, and lets nobody through but these addresses, and those for a minute. `true` = it was not so
    /// before.
    ///
    /// # Errors
    /// `Invalid` where this host can have none, and what would be needed.
    async fn ensure(&self, allowed: &BTreeSet<IpAddr>) -> Result<bool, BoundaryError>;

    /// Whether there is a barrier of this agent; nothing is changed.
    async fn is_up(&self) -> Result<bool, BoundaryError>;

    /// There is none.
    async fn release(&self) -> Result<(), BoundaryError>;

    /// Returns when rules of this host may have changed since the last [`Self::ensure`] looked, also before this call. A
    /// hint that may come for nothing, and where none can be had an error. Cancel-safe.
    async fn changed(&self) -> Result<(), BoundaryError>;
}
