//! The barrier of this host, as a table of nftables.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;

use super::rules;
use crate::boundary::BoundaryError;
use crate::boundary::barrier::MetadataBarrier;
use crate::platform::linux::nftables::KeptTable;

/// How old the addresses that are let through become before they are put in place anew, which a look does: a quarter of
/// their time, since an agent that works looks every 15 s.
const RENEW_AFTER: Duration = Duration::from_secs(10);

/// The barrier of this host.
pub struct BarrierOs {
    table: KeptTable,
    /// See [`RENEW_AFTER`].
    pub(super) renew_after: Duration,
}

impl Default for BarrierOs {
    fn default() -> Self {
        Self {
            table: KeptTable::new(rules::TABLE),
            renew_after: RENEW_AFTER,
        }
    }
}

#[async_trait]
impl MetadataBarrier for BarrierOs {
    async fn ensure(&self, allowed: &BTreeSet<IpAddr>) -> Result<bool, BoundaryError> {
        let operation = "keep containers from the instance metadata service";
        let renew_after = (!allowed.is_empty()).then_some(self.renew_after);
        let content = rules::content(allowed);
        self.table.ensure(operation, content, renew_after).await
    }

    async fn is_up(&self) -> Result<bool, BoundaryError> {
        let listing = self.table.listing("look at rules of nftables").await?;
        Ok(listing.is_some())
    }

    async fn release(&self) -> Result<(), BoundaryError> {
        let operation = "let containers reach the instance metadata service again";
        self.table.release(operation).await
    }

    async fn changed(&self) -> Result<(), BoundaryError> {
        self.table.changed().await
    }
}
