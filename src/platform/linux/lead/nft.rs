//! The lead of this host, as a table of nftables.

use async_trait::async_trait;

use super::rules;
use crate::boundary::BoundaryError;
use crate::boundary::lead::TaskLead;
use crate::platform::linux::nftables::KeptTable;

/// Any port: whether there can be rules does not depend on it.
const SOME_PORT: u16 = 1;

/// The lead of this host.
pub struct LeadOs(KeptTable);

impl Default for LeadOs {
    fn default() -> Self {
        Self(KeptTable::new(rules::TABLE))
    }
}

#[async_trait]
impl TaskLead for LeadOs {
    async fn is_possible(&self) -> Result<(), BoundaryError> {
        let operation = "try whether containers can be led to the task server";
        self.0.try_out(operation, &rules::content(SOME_PORT)).await
    }

    async fn ensure(&self, port: u16) -> Result<bool, BoundaryError> {
        let operation = "lead containers to the task server";
        self.0.ensure(operation, rules::content(port), None).await
    }

    async fn look(&self) -> Result<Option<u16>, BoundaryError> {
        let listing = self.0.listing("look at rules of nftables").await?;
        Ok(listing.and_then(|listing| rules::leads_to(&listing)))
    }

    async fn release(&self) -> Result<(), BoundaryError> {
        let operation = "take away the rules that lead containers to the task server";
        self.0.release(operation).await
    }

    async fn changed(&self) -> Result<(), BoundaryError> {
        self.0.changed().await
    }
}
