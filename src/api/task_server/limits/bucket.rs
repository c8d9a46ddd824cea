//! Buckets: one number each, sharded, forgotten when they are full again.
//!
//! **Invariants.** The number of buckets is bounded, whatever is asked. A caller's bucket is emptied by itself alone,
//! except where so many distinct paths are asked at once that they must share one.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Buckets are spread over so many locks.
const SHARDS: usize = 32;

/// Buckets a lock; 32 times 2,048 of 16 bytes and their table: under 3 MiB.
const MAX_BUCKETS: usize = 2048;

/// Where callers go whose own bucket has no place.
const SHARED: u64 = 0;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Credentials.
    Credentials,
    /// Everything else.
    Metadata,
}

/// How often one caller may ask for credentials, or for one path of everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once after a pause.
    pub burst: NonZeroU32,
}

impl Rate {
    /// A rate; a zero counts as one.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let least = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            per_second: least(per_second),
            burst: least(burst),
        }
    }

    /// Nanoseconds that one request takes out of the bucket.
    fn cost(self) -> u64 {
        (1_000_000_000 / u64::from(self.per_second.get())).max(1)
    }

    /// Size of the bucket in nanoseconds.
    fn size(self) -> u64 {
        self.cost().saturating_mul(u64::from(self.burst.get()))
    }
}

/// The rates of both classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Credentials.
    pub credentials: Rate,
    /// Everything else.
    pub metadata: Rate,
}

impl Default for RateLimits {
    /// Far above what SDKs do: a bound on what one caller may cost, not a ration. The reference agent's 40 a second
    /// (bursts of 60) makes programs fail that start many processes (users.md A5).
    fn default() -> Self {
        let high = Rate::new(50_000, 50_000);
        Self {
            credentials: high,
            metadata: high,
        }
    }
}

/// All buckets. A bucket is the instant at which it will be full again.
#[derive(Debug)]
pub struct Limits {
    rates: RateLimits,
    began: Instant,
    hasher: RandomState,
    shards: [Mutex<HashMap<u64, u64>>; SHARDS],
}

impl Limits {
    /// Full buckets.
    pub fn new(rates: RateLimits) -> Self {
        Self {
            rates,
            began: Instant::now(),
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// The rate of a class.
    pub fn rate(&self, class: Class) -> Rate {
        match class {
            Class::Credentials => self.rates.credentials,
            Class::Metadata => self.rates.metadata,
        }
    }

    /// Whether the caller may ask for that now; if so, it has.
    pub fn admit(&self, class: Class, caller: impl Hash, path: &str) -> bool {
        let key = self.hasher.hash_one((class, caller, path));
        let now = nanos(self.began.elapsed());
        let index = usize::try_from(key % 32).unwrap_or_default();
        let Some(shard) = self.shards.get(index) else {
            return true;
        };
        let mut buckets = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let has_place = buckets.len() < MAX_BUCKETS || buckets.contains_key(&key);
        if !has_place {
            buckets.retain(|_, full_at| *full_at > now);
        }
        let key = if has_place || buckets.len() < MAX_BUCKETS {
            key
        } else {
            SHARED
        };
        let rate = self.rate(class);
        let bucket = buckets.entry(key).or_insert(now);
        let full_at = (*bucket).max(now).saturating_add(rate.cost());
        let admitted = full_at.saturating_sub(now) <= rate.size();
        if admitted {
            *bucket = full_at;
        }
        admitted
    }

    /// Buckets held now.
    #[cfg(test)]
    fn held(&self) -> usize {
        let lock = |shard: &Mutex<HashMap<u64, u64>>| shard.lock().unwrap().len();
        self.shards.iter().map(lock).sum()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(per_second: u32, burst: u32) -> Limits {
        let rate = Rate::new(per_second, burst);
        Limits::new(RateLimits {
            credentials: rate,
            metadata: rate,
        })
    }

    fn admitted(limits: &Limits, caller: u8, path: &str) -> usize {
        (0..1000)
            .take_while(|_| limits.admit(Class::Credentials, caller, path))
            .count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_a_steady_rate_for_each_caller_path_and_class() {
        let limits = limits(40, 60);
        assert_eq!(admitted(&limits, 1, "/a"), 60);
        assert_eq!(admitted(&limits, 1, "/b"), 60);
        assert_eq!(admitted(&limits, 2, "/a"), 60);
        assert!(limits.admit(Class::Metadata, 1_u8, "/a"));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(admitted(&limits, 1, "/a"), 40);
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert_eq!(
            admitted(&limits, 1, "/a"),
            60,
            "no more than a burst is saved up"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn no_number_of_paths_grows_the_agent() {
        let limits = limits(40, 60);
        for n in 0..200_000 {
            limits.admit(Class::Metadata, 1_u8, &format!("/v4/{n}"));
        }
        assert!(limits.held() <= SHARDS * (MAX_BUCKETS + 1));
        tokio::time::sleep(Duration::from_secs(2)).await;
        for n in 0..SHARDS * 100 {
            limits.admit(Class::Metadata, 2_u8, &format!("/v4/{n}"));
        }
        assert!(limits.held() <= SHARDS * 200, "full ones were forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn while_places_are_short_a_caller_with_a_bucket_keeps_it() {
        let limits = limits(40, 60);
        assert!(limits.admit(Class::Credentials, 1_u8, "/mine"));
        for n in 0..200_000 {
            limits.admit(Class::Metadata, 2_u8, &format!("/v4/{n}"));
        }
        assert_eq!(admitted(&limits, 1, "/mine"), 59);
    }
}
