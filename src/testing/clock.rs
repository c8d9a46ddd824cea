//! A clock that follows tokio's, so that paused time pauses it too, and ids from a seed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use crate::boundary::{Clock, Ids};
use crate::domain::ids::{TaskId, UnixMillis};

/// Wall time at the start of every test: 2023-11-14T22:13:20Z.
pub const EPOCH: UnixMillis = UnixMillis(1_700_000_000_000);

/// Wall time that runs with tokio's, and that somebody may set. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct TokioClock {
    began: Instant,
    /// Milliseconds by which somebody has set it; clones are set together.
    set_by: Arc<AtomicI64>,
    /// Milliseconds after `began` at which somebody last did so; before any did, long ago.
    set_at: Arc<AtomicI64>,
}

impl TokioClock {
    /// Begins at [`EPOCH`] now.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            set_by: Arc::default(),
            set_at: Arc::new(AtomicI64::new(i64::MIN)),
        }
    }

    /// Somebody sets the clock forward, or back if negative, while time itself goes on as before.
    pub fn set_forward(&self, millis: i64) {
        self.set_by.fetch_add(millis, Ordering::Relaxed);
        self.set_at.store(self.steady_millis(), Ordering::Relaxed);
    }

    /// Whether somebody has set it within that time.
    pub fn was_set_within(&self, time: Duration) -> bool {
        let since = self
            .steady_millis()
            .saturating_sub(self.set_at.load(Ordering::Relaxed));
        u64::try_from(since).is_ok_and(|since| Duration::from_millis(since) <= time)
    }

    fn steady_millis(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> UnixMillis {
        let UnixMillis(steady) = EPOCH.plus(self.began.elapsed());
        UnixMillis(steady.saturating_add(self.set_by.load(Ordering::Relaxed)))
    }
}

/// Ids and jitter from a seed.
#[derive(Debug)]
pub struct SeededIds(Mutex<StdRng>);

impl SeededIds {
    /// The same seed gives the same ids.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(
            &mut self
                .0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }
}

impl Ids for SeededIds {
    #[expect(clippy::expect_used, reason = "32 hexadecimal digits are a task id")]
    fn task_id(&self) -> TaskId {
        let (high, low): (u64, u64) = self.draw(|rng| (rng.random(), rng.random()));
        TaskId::parse(&format!("{high:016x}{low:016x}")).expect("hexadecimal digits are an id")
    }

    fn bits(&self) -> u128 {
        let (high, low): (u64, u64) = self.draw(|rng| (rng.random(), rng.random()));
        (u128::from(high) << 64) | u128::from(low)
    }

    fn jitter(&self, below: Duration) -> Duration {
        let millis = u64::try_from(below.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(self.draw(|rng| rng.random_range(0..millis)))
    }
}
