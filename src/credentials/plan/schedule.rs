//! When credentials are fetched: ahead of their end, and again after a failure.

use std::time::Duration;

use crate::boundary::ErrorKind;
use crate::domain::ids::UnixMillis;

/// How long before their end credentials are replaced at the latest: 15 minutes that SDKs want to be left (botocore
/// asks again and again below that), and 5 to get new ones in.
pub const LONGEST_LEAD: Duration = Duration::from_mins(20);

/// How much earlier at most, so that tasks that came together do not refresh together.
pub const LONGEST_SPREAD: Duration = Duration::from_mins(5);

/// With less life than that the longest lead would leave them hardly any use.
const SHORT_LIFE: Duration = Duration::from_mins(30);

/// Credentials that end sooner than this are as good as none.
pub const LEAST_LIFE: Duration = Duration::from_millis(500);

/// First wait after a failure.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Longest wait while the source cannot be had: it is found again within 5 s of its return (users.md A4), whatever
/// the number of roles, since only one of them is tried at a time.
const LONGEST_OUTAGE_WAIT: Duration = Duration::from_secs(4);

/// Longest wait while the source asks to slow down.
const LONGEST_THROTTLED_WAIT: Duration = Duration::from_secs(30);

/// Longest wait after a refusal that somebody must change something about, by hand as a rule.
const LONGEST_REFUSED_WAIT: Duration = Duration::from_mins(1);

/// A draw from zero up to but without one, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance(u16);

impl Chance {
    /// The part of 1,000; more counts as 999.
    pub fn per_mille(part: u16) -> Self {
        Self(part.min(999))
    }

    /// That part of a duration.
    pub fn of(self, whole: Duration) -> Duration {
        whole.saturating_mul(u32::from(self.0)) / 1000
    }
}

/// When to replace credentials that were had now and end then: 20 minutes ahead and up to 5 more; those that live less
/// than half an hour, after about two thirds of it.
pub fn refresh_at(now: UnixMillis, end: UnixMillis, chance: Chance) -> UnixMillis {
    let life = end.since(now);
    let lead = if life < SHORT_LIFE {
        life / 3
    } else {
        LONGEST_LEAD
    };
    let spread = LONGEST_SPREAD.min(life / 10);
    now.plus(life.saturating_sub(lead).saturating_sub(chance.of(spread)))
}

/// When to replace credentials that were had some time ago and end then. What is left of them says nothing of how long
/// they live: those of which little is left are replaced at once.
pub fn refresh_kept_at(now: UnixMillis, end: UnixMillis, chance: Chance) -> UnixMillis {
    let left = end.since(now);
    let spread = chance.of(LONGEST_SPREAD);
    now.plus(left.saturating_sub(LONGEST_LEAD).saturating_sub(spread))
}

/// Whether the failure says something of the source rather than of the role.
pub fn concerns_the_source(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Unavailable
        | ErrorKind::Transient
        | ErrorKind::Throttled
        | ErrorKind::NoSpace
        | ErrorKind::DeadlineExceeded => true,
        ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::PortTaken
        | ErrorKind::LogDriver
        | ErrorKind::Invalid
        | ErrorKind::Denied
        | ErrorKind::Cancelled => false,
    }
}

/// How long to wait after that many failures in a row: doubling, with up to half taken off by chance.
pub fn back_off(kind: ErrorKind, failures: u32, chance: Chance) -> Duration {
    let longest = if kind == ErrorKind::Throttled {
        LONGEST_THROTTLED_WAIT
    } else if concerns_the_source(kind) {
        LONGEST_OUTAGE_WAIT
    } else {
        LONGEST_REFUSED_WAIT
    };
    let doublings = failures.saturating_sub(1).min(16);
    let wait = FIRST_WAIT.saturating_mul(1 << doublings).min(longest);
    wait.saturating_sub(chance.of(wait / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Chance = Chance(0);
    const MOST: Chance = Chance(999);

    fn after(life: Duration, chance: Chance) -> Duration {
        let now = UnixMillis(1_000_000);
        refresh_at(now, now.plus(life), chance).since(now)
    }

    #[test]
    fn an_hour_is_replaced_with_more_than_fifteen_minutes_left() {
        let hour = Duration::from_hours(1);
        assert_eq!(after(hour, NONE), Duration::from_mins(40));
        assert!(after(hour, MOST) >= Duration::from_mins(35));
    }

    #[test]
    fn short_lives_are_replaced_after_two_thirds() {
        assert_eq!(
            after(Duration::from_mins(15), NONE),
            Duration::from_mins(10)
        );
        assert_eq!(after(Duration::from_secs(3), NONE), Duration::from_secs(2));
        assert!(after(Duration::from_secs(3), MOST) > Duration::from_millis(1600));
        assert_eq!(after(Duration::ZERO, MOST), Duration::ZERO);
    }

    #[test]
    fn from_half_an_hour_on_no_value_has_less_than_fifteen_minutes_left() {
        for minutes in [30, 31, 45, 60, 360] {
            let life = Duration::from_mins(minutes);
            let lead = |chance| life.saturating_sub(after(life, chance));
            assert_eq!(lead(NONE), LONGEST_LEAD);
            assert!(lead(MOST) >= LONGEST_LEAD && lead(MOST) <= Duration::from_mins(25));
        }
    }

    #[test]
    fn what_was_kept_is_replaced_by_what_is_left_of_it() {
        let now = UnixMillis(1_000_000);
        let kept = |left: u64, chance| {
            let end = now.plus(Duration::from_mins(left));
            refresh_kept_at(now, end, chance).since(now)
        };
        assert_eq!(kept(60, NONE), Duration::from_mins(40));
        assert_eq!(kept(25, NONE), Duration::from_mins(5));
        assert!(kept(25, MOST) < Duration::from_secs(1));
        for left in [0, 1, 20] {
            assert_eq!(kept(left, NONE), Duration::ZERO);
            assert_eq!(kept(left, MOST), Duration::ZERO);
        }
    }

    #[test]
    fn waits_double_up_to_a_limit_that_the_kind_has() {
        for (kind, failures, seconds) in [
            (ErrorKind::Unavailable, 1, 0.5),
            (ErrorKind::Unavailable, 2, 1.0),
            (ErrorKind::Unavailable, 3, 2.0),
            (ErrorKind::Unavailable, 99, 4.0),
            (ErrorKind::Throttled, 99, 30.0),
            (ErrorKind::Denied, 1, 0.5),
            (ErrorKind::Denied, u32::MAX, 60.0),
        ] {
            let longest = Duration::from_secs_f64(seconds);
            assert_eq!(
                back_off(kind, failures, NONE),
                longest,
                "{kind:?} {failures}"
            );
            assert!(back_off(kind, failures, MOST) >= longest / 2);
        }
    }
}
