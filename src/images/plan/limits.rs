//! How long a pull may be silent and how long it may take.

use std::time::Duration;

/// Silence after which a pull gives its slot to the next: a dead registry holds up nothing but itself.
pub const LEND_AFTER: Duration = Duration::from_secs(5);

/// Limits of one pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullLimits {
    /// Longest time from the beginning to the first message.
    pub begin: Duration,
    /// Longest time without progress after that.
    pub inactivity: Duration,
    /// Longest pull.
    pub total: Duration,
}

/// What a pull should do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Wait that long for the next message, then ask again.
    Wait(Duration),
    /// Give the slot to the next, and ask again.
    Lend,
    /// Give up: no message at all.
    NotBegun,
    /// Give up: no progress.
    Inactive,
    /// Give up: too long.
    TooLong,
}

/// Who holds the slot of a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotUse {
    /// The pull itself.
    Held,
    /// It was given to another while this one is silent, or that was refused.
    Lent,
}

impl PullLimits {
    /// Decides from the time since the pull began and since its progress last changed; `None` before its first message.
    pub fn patience(self, elapsed: Duration, quiet: Option<Duration>, slot: SlotUse) -> Patience {
        if elapsed >= self.total {
            return Patience::TooLong;
        }
        let (quiet, limit, verdict) = match quiet {
            None => (elapsed, self.begin, Patience::NotBegun),
            Some(quiet) => (quiet, self.inactivity, Patience::Inactive),
        };
        if quiet >= limit {
            return verdict;
        }
        let end = (self.total.saturating_sub(elapsed)).min(limit.saturating_sub(quiet));
        match slot {
            SlotUse::Held if quiet >= LEND_AFTER => Patience::Lend,
            SlotUse::Held => Patience::Wait(end.min(LEND_AFTER.saturating_sub(quiet))),
            SlotUse::Lent => Patience::Wait(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_by_silence_or_by_length() {
        let limits = PullLimits {
            begin: Duration::from_mins(5),
            inactivity: Duration::from_mins(1),
            total: Duration::from_mins(10),
        };
        let secs = Duration::from_secs;
        for (elapsed, quiet, slot, expected) in [
            (0, None, SlotUse::Held, Patience::Wait(secs(5))),
            (5, None, SlotUse::Held, Patience::Lend),
            (100, None, SlotUse::Lent, Patience::Wait(secs(200))),
            (300, None, SlotUse::Lent, Patience::NotBegun),
            (0, Some(0), SlotUse::Held, Patience::Wait(secs(5))),
            (9, Some(3), SlotUse::Held, Patience::Wait(secs(2))),
            (9, Some(5), SlotUse::Held, Patience::Lend),
            (9, Some(5), SlotUse::Lent, Patience::Wait(secs(55))),
            (100, Some(60), SlotUse::Lent, Patience::Inactive),
            (590, Some(10), SlotUse::Lent, Patience::Wait(secs(10))),
            (600, Some(0), SlotUse::Held, Patience::TooLong),
            (600, None, SlotUse::Lent, Patience::TooLong),
        ] {
            let quiet = quiet.map(secs);
            assert_eq!(limits.patience(secs(elapsed), quiet, slot), expected);
        }
    }
}
