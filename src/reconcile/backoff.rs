//! How long to wait after failures: pure, so that the instant it gives can be written down.

use std::time::Duration;

/// Exponential, capped, with the caller's jitter on top.
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

impl Backoff {
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
}
