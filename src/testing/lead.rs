//! A lead in memory, which can be refused and taken away; and what both it and the host's must do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::boundary::lead::TaskLead;
use crate::boundary::{BoundaryError, ErrorKind};

/// A host whose rules others can change. Cheap to clone: all clones are one host.
#[derive(Clone, Debug, Default)]
pub struct FakeLead(Arc<Mutex<State>>, Arc<Notify>);

/// Longest wait for a hint that must come.
const HINT: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct State {
    to: Option<u16>,
    refuses: bool,
}

impl FakeLead {
    /// Whether the host can have none.
    pub fn refuses(&self, so: bool) {
        self.state().refuses = so;
    }

    /// Where it leads.
    pub fn leads_to(&self) -> Option<u16> {
        self.state().to
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TaskLead for FakeLead {
    async fn is_possible(&self) -> Result<(), BoundaryError> {
        if self.state().refuses {
            let operation = "lead containers";
            return Err(BoundaryError::new(
                operation,
                ErrorKind::Invalid,
                "no nf_tables",
            ));
        }
        Ok(())
    }

    async fn ensure(&self, port: u16) -> Result<bool, BoundaryError> {
        // What has changed so far is looked at now.
        let _looked_at = self.1.notified().now_or_never();
        self.is_possible().await?;
        Ok(self.state().to.replace(port) != Some(port))
    }

    async fn look(&self) -> Result<Option<u16>, BoundaryError> {
        Ok(self.state().to)
    }

    async fn release(&self) -> Result<(), BoundaryError> {
        self.state().to = None;
        self.1.notify_one();
        Ok(())
    }

    async fn changed(&self) -> Result<(), BoundaryError> {
        self.1.notified().await;
        Ok(())
    }
}

/// What every lead does on a host that can have one, and has none at first.
///
/// # Panics
/// If it does not.
pub async fn lead_contract(lead: &dyn TaskLead) {
    assert!(lead.is_possible().await.is_ok());
    assert_eq!(lead.look().await.ok(), Some(None));
    for _ in 0..2 {
        for port in [51679, 8] {
            for is_new in [true, false] {
                assert_eq!(lead.ensure(port).await.ok(), Some(is_new), "{port}");
            }
            assert!(lead.is_possible().await.is_ok());
            assert_eq!(lead.look().await.ok(), Some(Some(port)));
        }
        // A change is told to whoever asks after it.
        assert!(lead.release().await.is_ok());
        let told = timeout(HINT, lead.changed()).await;
        assert!(matches!(told, Ok(Ok(()))), "{told:?}");
        // What is not there any more is taken away as well.
        for _ in 0..2 {
            assert!(lead.release().await.is_ok());
            assert_eq!(lead.look().await.ok(), Some(None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fake_does_what_the_host_does() {
        lead_contract(&FakeLead::default()).await;
    }
}
