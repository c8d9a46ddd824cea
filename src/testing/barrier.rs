//! A barrier in memory, which can be refused and taken away; and what both it and the host's must do.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::boundary::barrier::MetadataBarrier;
use crate::boundary::{BoundaryError, ErrorKind};

/// A host whose rules others can change. Cheap to clone: all clones are one host.
#[derive(Clone, Debug, Default)]
pub struct FakeBarrier(Arc<Mutex<State>>, Arc<Notify>);

/// Longest wait for a hint that must come.
const HINT: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct State {
    lets_through: Option<BTreeSet<IpAddr>>,
    can_have_none: bool,
}

impl FakeBarrier {
    /// Whether the host can have no barrier.
    pub fn can_have_none(&self, so: bool) {
        self.state().can_have_none = so;
    }

    /// Whom it lets through; `None` = there is no barrier.
    pub fn lets_through(&self) -> Option<BTreeSet<IpAddr>> {
        self.state().lets_through.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MetadataBarrier for FakeBarrier {
    async fn ensure(&self, allowed: &BTreeSet<IpAddr>) -> Result<bool, BoundaryError> {
        // What has changed so far is looked at now.
        let _looked_at = self.1.notified().now_or_never();
        let mut state = self.state();
        if state.can_have_none {
            let operation = "keep containers from the instance metadata service";
            return Err(BoundaryError::new(
                operation,
                ErrorKind::Invalid,
                "no nf_tables",
            ));
        }
        let is_new = state.lets_through.as_ref() != Some(allowed);
        state.lets_through = Some(allowed.clone());
        Ok(is_new)
    }

    async fn is_up(&self) -> Result<bool, BoundaryError> {
        Ok(self.state().lets_through.is_some())
    }

    async fn release(&self) -> Result<(), BoundaryError> {
        self.state().lets_through = None;
        self.1.notify_one();
        Ok(())
    }

    async fn changed(&self) -> Result<(), BoundaryError> {
        self.1.notified().await;
        Ok(())
    }
}

/// What every barrier does on a host that can have one, and has none at first.
///
/// # Panics
/// If it does not.
pub async fn barrier_contract(barrier: &dyn MetadataBarrier) {
    let sets: [&[&str]; 3] = [&[], &["10.9.0.2", "fd09::2"], &["10.9.0.2"]];
    let sets = sets.map(|addresses| {
        let parsed = addresses.iter().map(|text| text.parse().ok());
        parsed
            .collect::<Option<BTreeSet<IpAddr>>>()
            .unwrap_or_default()
    });
    assert_eq!(barrier.is_up().await.ok(), Some(false));
    for _ in 0..2 {
        for allowed in &sets {
            assert_eq!(
                barrier.ensure(allowed).await.ok(),
                Some(true),
                "{allowed:?}"
            );
            assert_eq!(
                barrier.ensure(allowed).await.ok(),
                Some(false),
                "{allowed:?}"
            );
            assert_eq!(barrier.is_up().await.ok(), Some(true));
        }
        // A change is told to whoever asks after it.
        assert_eq!(barrier.ensure(&sets[2]).await.ok(), Some(false));
        assert!(barrier.release().await.is_ok());
        let told = timeout(HINT, barrier.changed()).await;
        assert!(matches!(told, Ok(Ok(()))), "{told:?}");
        // What is not there any more is taken away as well.
        for _ in 0..2 {
            assert!(barrier.release().await.is_ok());
            assert_eq!(barrier.is_up().await.ok(), Some(false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fake_does_what_the_host_does() {
        barrier_contract(&FakeBarrier::default()).await;
    }
}
