//! The address at which containers reach the task server, as the host has it or not.

use async_trait::async_trait;

use super::error::BoundaryError;

/// Where the host has the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldAddress {
    /// Name of the link that carries it.
    pub link: String,
    /// Whether that link was made for it.
    pub own_link: bool,
}

/// Keeps 169.254.170.2 an address of this host.
#[async_trait]
pub trait TaskAddress: Send + Sync {
    /// The address is one of this host, so that no packet to it leaves: made so now, or found.
    async fn ensure(&self) -> Result<HeldAddress, BoundaryError>;

    /// Where the address is now; nothing is changed. `None` = the host does not have it.
    async fn look(&self) -> Result<Option<HeldAddress>, BoundaryError>;

    /// The host has neither a link of this agent nor, on loopback, the address; on a link of somebody else it stays.
    async fn release(&self) -> Result<(), BoundaryError>;

    /// Returns when links or addresses of the host may have changed since the call. A hint: some are missed, so the
    /// caller looks from time to time as well. Cancel-safe.
    async fn changed(&self) -> Result<(), BoundaryError>;
}
