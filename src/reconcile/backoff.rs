//! How long to wait after failures: pure, so that the instant it gives can be written down.

use std::time::Duration;

use crate::domain::ids::UnixMillis;

/// Exponential and capped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// Never longer than this.
    pub cap: Duration,
}

/// Calls to Docker that failed in a way that may pass.
pub const CALLS: Backoff = Backoff {
    first: Duration::from_millis(500),
    cap: Duration::from_secs(30),
};

/// Pulls (reference agent: 1.1 s to 5 s; longer here, since registries ask for it).
pub const PULLS: Backoff = Backoff {
    first: Duration::from_secs(1),
    cap: Duration::from_secs(30),
};

/// A container whose calls pass their deadline: it is looked at now and then.
pub const QUARANTINE: Backoff = Backoff {
    first: Duration::from_secs(5),
    cap: Duration::from_mins(1),
};

/// No back-off is longer.
pub const LONGEST: Duration = QUARANTINE.cap;

/// Parts into which the spread of a wait is divided.
pub const SPREAD: u32 = 1000;

/// Whether an instant that was written down has come. One that lies further away than the longest wait was written
/// before the clock was set back, and counts as come.
pub fn is_due(at: UnixMillis, now: UnixMillis, longest: Duration) -> bool {
    at <= now || at.since(now) > longest
}

impl Backoff {
    /// Wait after that many failures in a row (from 1), shortened by up to a half: by none of it for a `luck` of 0,
    /// by all of it for one of [`SPREAD`]. Those that failed at once are not tried again at once.
    pub fn spread(self, failures: u32, luck: u32) -> Duration {
        let wait = self.after(failures);
        let less = (wait / 2).saturating_mul(luck.min(SPREAD)) / SPREAD;
        wait.saturating_sub(less)
    }

    /// Wait after that many failures in a row (from 1).
    pub fn after(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        self.first
            .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
            .min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_cap() {
        let seconds: Vec<u64> = (1..=7).map(|n| PULLS.after(n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(PULLS.after(u32::MAX), PULLS.cap);
    }

    #[test]
    fn luck_takes_up_to_a_half_off() {
        let millis = [0, 500, SPREAD, u32::MAX].map(|luck| PULLS.spread(2, luck).as_millis());
        assert_eq!(millis, [2000, 1500, 1000, 1000]);
    }

    #[test]
    fn an_instant_beyond_the_longest_wait_has_come() {
        let due = [99, 100, 101, 160, 161, 100_000]
            .map(|at| is_due(UnixMillis(at), UnixMillis(100), Duration::from_millis(60)));
        assert_eq!(due, [true, true, false, false, true, true]);
    }
}
