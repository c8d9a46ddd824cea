//! How long it is waited between tries to register.
//!
//! **Invariants.** Refusals are counted by themselves, and wait as the reference agent does. While nobody answers at
//! all the waits stay short, so that a host that starts without its network is registered soon after that is there.

use std::time::Duration;

use crate::ecs::link::{Backoff, BackoffSettings, Chance};

/// Waits after a refusal (reference agent).
const REFUSED: BackoffSettings = BackoffSettings {
    first: Duration::from_secs(3),
    longest: Duration::from_secs(192),
    jitter_percent: 20,
    growth_percent: 200,
};

/// Waits after a try that nobody has answered: with what chance adds and the limit of a connection, a try follows the
/// network's return within 15 s.
const UNANSWERED: BackoffSettings = BackoffSettings {
    longest: Duration::from_secs(10),
    ..REFUSED
};

/// The waits of one start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    refused: Backoff,
    /// Of tries that nobody has answered since the last that somebody has.
    unanswered: Backoff,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            refused: Backoff::new(REFUSED),
            unanswered: Backoff::new(UNANSWERED),
        }
    }
}

impl Waits {
    /// Somebody has answered, and refused.
    pub fn refused(&mut self, chance: Chance) -> Duration {
        self.unanswered.reset();
        self.refused.wait(chance)
    }

    /// Nobody has answered.
    pub fn unanswered(&mut self, chance: Chance) -> Duration {
        self.unanswered.wait(chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(wait: impl FnMut() -> Duration) -> Vec<u64> {
        let waits = std::iter::repeat_with(wait).take(8);
        waits.map(|wait| wait.as_secs()).collect()
    }

    #[test]
    fn check_032_refusals_wait_from_three_seconds_to_three_minutes() {
        let mut waits = Waits::default();
        let refused = seconds(|| waits.refused(Chance::ZERO));
        assert_eq!(refused, [3, 6, 12, 24, 48, 96, 192, 192]);
    }

    #[test]
    fn without_an_answer_waits_stay_short_and_refusals_are_counted_by_themselves() {
        let mut waits = Waits::default();
        assert_eq!(waits.refused(Chance::ZERO).as_secs(), 3);
        let unanswered = seconds(|| waits.unanswered(Chance::ZERO));
        assert_eq!(unanswered, [3, 6, 10, 10, 10, 10, 10, 10]);
        assert!(waits.unanswered(Chance::MOST) <= Duration::from_secs(12));
        assert_eq!(waits.refused(Chance::ZERO).as_secs(), 6);
        assert_eq!(
            waits.unanswered(Chance::ZERO).as_secs(),
            3,
            "somebody had answered"
        );
    }
}
