//! Growing waits between tries: the first as it is, then longer by a factor, with something added by chance.
//!
//! Chance only ever adds, so the longest wait is the limit and its share on top (reference agent's back-off).

use std::time::Duration;

use super::Chance;

/// How waits grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffSettings {
    /// First wait.
    pub first: Duration,
    /// Longest, before chance.
    pub longest: Duration,
    /// What chance adds at most, in percent of the wait.
    pub jitter_percent: u32,
    /// Each wait in percent of the one before.
    pub growth_percent: u32,
}

/// The waits of one thing that is tried again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    settings: BackoffSettings,
    next: Duration,
}

impl Backoff {
    /// Begins with the first wait.
    pub fn new(settings: BackoffSettings) -> Self {
        Self {
            settings,
            next: settings.first,
        }
    }

    /// The wait after one more failure.
    pub fn wait(&mut self, chance: Chance) -> Duration {
        let wait = self.next.min(self.settings.longest);
        let grown = wait.saturating_mul(self.settings.growth_percent) / 100;
        self.next = grown.min(self.settings.longest);
        let most = wait.saturating_mul(self.settings.jitter_percent) / 100;
        wait.saturating_add(chance.of(most))
    }

    /// The next wait is the first again.
    pub fn reset(&mut self) {
        self.next = self.settings.first;
    }
}
