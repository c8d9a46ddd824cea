//! Readiness as a latch: ready when the last holder has let go, and never unready again.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

type Holders = BTreeMap<&'static str, usize>;

/// Who keeps the agent from being ready.
#[derive(Clone, Debug)]
pub struct Readiness {
    holders: Arc<watch::Sender<Holders>>,
}

/// Keeps the agent from being ready until it is dropped.
#[derive(Debug)]
pub struct Hold {
    name: &'static str,
    holders: Arc<watch::Sender<Holders>>,
}

impl Readiness {
    /// Ready, until somebody holds.
    pub fn new() -> Self {
        Self {
            holders: Arc::new(watch::Sender::new(Holders::new())),
        }
    }

    /// Not ready until the hold is dropped. All holds are taken before the first is dropped.
    pub fn hold(&self, name: &'static str) -> Hold {
        self.holders.send_modify(|holders| {
            let count = holders.entry(name).or_default();
            *count = count.saturating_add(1);
        });
        Hold {
            name,
            holders: Arc::clone(&self.holders),
        }
    }

    /// What is waited for; empty = ready.
    pub fn waiting_for(&self) -> Vec<&'static str> {
        self.holders.borrow().keys().copied().collect()
    }

    /// Returns when the last holder has let go. Cancel-safe.
    pub async fn ready(&self) {
        let mut holders = self.holders.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        drop(holders.wait_for(BTreeMap::is_empty).await);
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.holders.send_modify(|holders| {
            let left = holders
                .remove(self.name)
                .map_or(0, |count| count.saturating_sub(1));
            if left > 0 {
                holders.insert(self.name, left);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ready_when_the_last_holder_lets_go() {
        let readiness = Readiness::new();
        let (store, first, second) = (
            readiness.hold("store"),
            readiness.hold("docker"),
            readiness.hold("docker"),
        );
        assert_eq!(readiness.waiting_for(), ["docker", "store"]);
        drop((store, first));
        assert_eq!(readiness.waiting_for(), ["docker"]);
        let waiting = readiness.clone();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { waiting.ready().await });
        drop(second);
        tasks.join_next().await.expect("one").expect("ended");
        assert_eq!(readiness.waiting_for(), [""; 0]);
    }
}
