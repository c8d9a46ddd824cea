//! The real clock and the real source of chance.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::RngExt as _;

use crate::boundary::{Clock, Ids};
use crate::domain::ids::{TaskId, UnixMillis};

/// Wall time of the host.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else is given"
    )]
    fn now(&self) -> UnixMillis {
        // A clock before 1970 is as wrong as it gets; zero is at least an instant.
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMillis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Ids and jitter from the operating system's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    #[expect(
        clippy::expect_used,
        reason = "32 hexadecimal digits are a task id; the test draws some"
    )]
    fn task_id(&self) -> TaskId {
        let digits = format!("{:032x}", rand::random::<u128>());
        TaskId::parse(&digits).expect("32 hexadecimal digits are a task id")
    }

    fn bits(&self) -> u128 {
        rand::random()
    }

    fn jitter(&self, below: Duration) -> Duration {
        let nanos = u64::try_from(below.as_nanos()).unwrap_or(u64::MAX);
        if nanos == 0 {
            return Duration::ZERO;
        }
        Duration::from_nanos(rand::rng().random_range(0..nanos))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn task_ids_differ_and_have_32_digits() {
        let ids: BTreeSet<String> = (0..100).map(|_| SystemIds.task_id().to_string()).collect();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| id.len() == 32));
    }

    #[test]
    fn jitter_stays_below_its_limit() {
        let limit = Duration::from_millis(3);
        assert!((0..100).all(|_| SystemIds.jitter(limit) < limit));
        assert_eq!(SystemIds.jitter(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn now_is_after_this_was_written() {
        assert!(SystemClock.now() > UnixMillis(1_700_000_000_000));
    }
}
