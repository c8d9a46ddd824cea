//! How often one place in the code may write a line. Pure but for the memory of what it has written.
//!
//! **Invariant.** What is left out is counted, and told by the next line of the same place that is written.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Level, Metadata};

/// The time that limits are for.
const WINDOW: Duration = Duration::from_mins(1);

/// Warnings and errors of one place in that time: enough to see that something goes on, little enough to read.
const LOUD_PER_WINDOW: u32 = 60;

/// Other lines of one place in that time: a host that starts a thousand tasks tells of each step.
const QUIET_PER_WINDOW: u32 = 6_000;

/// What to do with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Leave it out.
    LeaveOut,
    /// Write it, and before it that so many were left out, if any were.
    Write {
        /// Lines of the same place that were left out since the last one.
        left_out: u64,
    },
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    written: u32,
    left_out: u64,
}

/// Remembers each place that has written: as many as there are in the code.
#[derive(Debug, Default)]
pub(super) struct Limiter(Mutex<HashMap<Identifier, Window>>);

impl Limiter {
    /// Judges one more line of a place. Lines for debugging are never left out: somebody asked for them.
    pub(super) fn judge(&self, site: &Metadata<'_>, now: Instant) -> Verdict {
        let most = match *site.level() {
            Level::ERROR | Level::WARN => LOUD_PER_WINDOW,
            Level::INFO => QUIET_PER_WINDOW,
            Level::DEBUG | Level::TRACE => return Verdict::Write { left_out: 0 },
        };
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(site.callsite()).or_insert(Window {
            began: now,
            written: 0,
            left_out: 0,
        });
        if now.saturating_duration_since(window.began) >= WINDOW {
            window.began = now;
            window.written = 0;
        }
        if window.written >= most {
            window.left_out = window.left_out.saturating_add(1);
            return Verdict::LeaveOut;
        }
        window.written = window.written.saturating_add(1);
        Verdict::Write {
            left_out: std::mem::take(&mut window.left_out),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing::field::FieldSet;
    use tracing::metadata::Kind;
    use tracing::{Callsite, subscriber::Interest};

    use super::*;

    struct Place(Level);

    impl Callsite for Place {
        fn set_interest(&self, _: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            unreachable!("is not asked")
        }
    }

    static PLACES: [Place; 3] = [Place(Level::WARN), Place(Level::INFO), Place(Level::DEBUG)];

    fn site(place: &'static Place) -> Metadata<'static> {
        let fields = FieldSet::new(&[], Identifier(place));
        Metadata::new(
            "event",
            "t",
            place.0,
            None,
            Some(7),
            None,
            fields,
            Kind::EVENT,
        )
    }

    #[test]
    fn each_place_has_a_window_of_its_own_and_tells_what_it_left_out() {
        let limiter = Arc::new(Limiter::default());
        let [loud, quiet, debug] = &PLACES;
        let began = Instant::now();
        let judge = |place: &'static Place, seconds: u64| {
            limiter.judge(&site(place), began + Duration::from_secs(seconds))
        };
        let written = (0..100).filter(|_| judge(loud, 1) != Verdict::LeaveOut);
        assert_eq!(written.count(), 60);
        assert_eq!(judge(quiet, 1), Verdict::Write { left_out: 0 });
        assert_eq!(judge(loud, 60), Verdict::LeaveOut, "the minute is not over");
        assert_eq!(judge(loud, 61), Verdict::Write { left_out: 41 });
        assert_eq!(judge(loud, 61), Verdict::Write { left_out: 0 }, "told once");
        let all = (0..10_000).all(|_| judge(debug, 1) != Verdict::LeaveOut);
        assert!(all, "somebody asked for them");
    }
}
