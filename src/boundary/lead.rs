//! How containers, which ask at port 80, get to an agent that listens at another port.

use async_trait::async_trait;

use super::error::BoundaryError;

/// Leads connections to 169.254.170.2 port 80 to another port of that address, those of containers and of this host's
/// programs. Who asks keeps the own address, and port 80 of this host is anybody's.
#[async_trait]
pub trait TaskLead: Send + Sync {
    /// Whether this host can do so; nothing is changed.
    ///
    /// # Errors
    /// It cannot, and why; `Invalid` where something is missing.
    async fn is_possible(&self) -> Result<(), BoundaryError>;

    /// It leads to that port and nowhere else. `true` = it was not so before.
    async fn ensure(&self, port: u16) -> Result<bool, BoundaryError>;

    /// Where it leads now; nothing is changed. `None` = nowhere.
    async fn look(&self) -> Result<Option<u16>, BoundaryError>;

    /// It leads nowhere.
    async fn release(&self) -> Result<(), BoundaryError>;

    /// Returns when rules of this host may have changed since the last [`Self::ensure`] looked, also before this call. A
    /// hint that may come for nothing, and where none can be had an error. Cancel-safe.
    async fn changed(&self) -> Result<(), BoundaryError>;
}
