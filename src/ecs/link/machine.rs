//! The life of sessions with one endpoint.
//!
//! ```text
//!             due                     connected
//!  Waiting ────────► Connecting ─────────────────► Open ──── lifetime over ───► Closing
//!     ▲  ▲               │ refused, unreachable      │ silent: dropped, or Closing  │
//!     │  └── back-off ───┘                           │ ended                        │ ended, or not in time
//!     └──────────────────────────────────────────────┴──────────────────────────────┘
//! ```
//!
//! **Invariants.** At most one session at a time. A peer that accepts and drops at once does not get more tries than
//! one that refuses: the wait after a session that lived shortly grows as that after a failure. While nobody answers at
//! all the waits stay short, so that the return of the network is soon noticed. Whatever happens there is a next try,
//! and [`Link::next`] says when.

use std::time::{Duration, Instant};

use super::{Backoff, BackoffSettings, Chance};

/// Times of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    /// Waits between tries.
    pub backoff: BackoffSettings,
    /// Longest wait after a try that nobody has answered, before chance.
    pub unreachable: Duration,
    /// Longest silence of the peer, and what chance adds to it at most.
    pub silence: (Duration, Duration),
    /// What is done about a silent peer.
    pub on_silence: OnSilence,
    /// After that long a session is closed to be opened anew, and what chance adds.
    pub lifetime: (Duration, Duration),
    /// A session that has lived so long forgets earlier failures, and what chance adds; `None` = never.
    pub steady: Option<(Duration, Duration)>,
    /// A session that lived less counts as a failed try, however it ended.
    pub shortest: Duration,
    /// How long the peer may take to answer a close.
    pub close_limit: Duration,
    /// Wait after the control plane has said that the instance is not active.
    pub inactive: Duration,
}

/// What is done about a silent peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSilence {
    /// The connection is dropped, and the next try waits.
    Drop,
    /// It is closed in order.
    Close,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// A session is open.
    Connected,
    /// It could not be opened.
    Refused {
        /// Because the instance is not active.
        inactive: bool,
    },
    /// Nobody answered: there is no connection, or it broke before an answer.
    Unreachable,
    /// The peer said something that counts as a sign of life.
    Heard,
    /// The session ended.
    Ended(How),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Closed in order, or the peer was gone (close codes 1000, 1001, 1006, 1011).
    Normal,
    /// Any other way.
    Broken,
    /// The control plane said that the instance is not active.
    Inactive,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a session; [`Event::Connected`] or [`Event::Refused`] follows.
    Connect,
    /// Ask the peer to close; [`Event::Ended`] follows, or the session is dropped.
    Close,
    /// Let go of the connection. No event follows.
    Drop,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Waiting {
        until: Instant,
    },
    Connecting,
    Open {
        since: Instant,
        silent_at: Instant,
        close_at: Instant,
        steady_at: Option<Instant>,
    },
    Closing {
        since: Instant,
        until: Instant,
    },
}

/// The sessions with one endpoint.
#[derive(Clone, Debug)]
pub struct Link {
    settings: LinkSettings,
    backoff: Backoff,
    /// Of tries that nobody has answered since the last that somebody has.
    unreachable: Backoff,
    state: State,
}

impl Link {
    /// Due at once.
    pub fn new(settings: LinkSettings, now: Instant) -> Self {
        let unreachable = BackoffSettings {
            longest: settings.unreachable,
            ..settings.backoff
        };
        Self {
            settings,
            backoff: Backoff::new(settings.backoff),
            unreachable: Backoff::new(unreachable),
            state: State::Waiting { until: now },
        }
    }

    /// When [`Event::Tick`] is due; `None` = something else happens first.
    pub fn next(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { until } | State::Closing { until, .. } => Some(*until),
            State::Connecting => None,
            State::Open {
                silent_at,
                close_at,
                steady_at,
                ..
            } => {
                let first = (*silent_at).min(*close_at);
                Some(steady_at.map_or(first, |at| at.min(first)))
            }
        }
    }

    /// Whether a session is open and not being closed.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Takes in what happened.
    pub fn on(&mut self, event: Event, now: Instant, chance: Chance) -> Option<Action> {
        match event {
            Event::Tick => self.tick(now, chance),
            Event::Connected => {
                self.open(now, chance);
                None
            }
            Event::Refused { inactive } => {
                self.unreachable.reset();
                let wait = if inactive {
                    self.settings.inactive
                } else {
                    self.backoff.wait(chance)
                };
                self.wait(now, wait);
                None
            }
            Event::Unreachable => {
                let wait = self.unreachable.wait(chance);
                self.wait(now, wait);
                None
            }
            Event::Heard => {
                let longest = added(self.settings.silence, chance);
                if let State::Open { silent_at, .. } = &mut self.state {
                    *silent_at = later(now, longest);
                }
                None
            }
            Event::Ended(how) => {
                self.end(how, now, chance);
                None
            }
        }
    }

    fn tick(&mut self, now: Instant, chance: Chance) -> Option<Action> {
        match &mut self.state {
            State::Waiting { until } if *until <= now => {
                self.state = State::Connecting;
                Some(Action::Connect)
            }
            State::Closing { until, .. } if *until <= now => {
                self.end(How::Normal, now, chance);
                Some(Action::Drop)
            }
            State::Open {
                since,
                silent_at,
                close_at,
                steady_at,
            } => {
                if steady_at.is_some_and(|at| at <= now) {
                    *steady_at = None;
                    self.backoff.reset();
                }
                let (silent, over, since) = (*silent_at <= now, *close_at <= now, *since);
                match self.settings.on_silence {
                    OnSilence::Drop if silent => {
                        self.end(How::Broken, now, chance);
                        Some(Action::Drop)
                    }
                    OnSilence::Close | OnSilence::Drop if silent || over => {
                        let until = later(now, self.settings.close_limit);
                        self.state = State::Closing { since, until };
                        Some(Action::Close)
                    }
                    OnSilence::Close | OnSilence::Drop => None,
                }
            }
            State::Waiting { .. } | State::Closing { .. } | State::Connecting => None,
        }
    }

    fn open(&mut self, now: Instant, chance: Chance) {
        self.unreachable.reset();
        let after = |times| later(now, added(times, chance));
        self.state = State::Open {
            since: now,
            silent_at: after(self.settings.silence),
            close_at: after(self.settings.lifetime),
            steady_at: self.settings.steady.map(after),
        };
    }

    fn end(&mut self, how: How, now: Instant, chance: Chance) {
        let (how, since) = match self.state {
            // Asked for: whichever way the peer answers is in order.
            State::Closing { since, .. } => (How::Normal, since),
            State::Open { since, .. } => (how, since),
            // A late word of a session that was dropped.
            State::Waiting { .. } | State::Connecting => return,
        };
        let lived = now.saturating_duration_since(since);
        let wait = match how {
            How::Inactive => self.settings.inactive,
            How::Normal if lived >= self.settings.shortest => {
                self.backoff.reset();
                Duration::ZERO
            }
            How::Normal | How::Broken => self.backoff.wait(chance),
        };
        self.wait(now, wait);
    }

    fn wait(&mut self, now: Instant, wait: Duration) {
        self.state = State::Waiting {
            until: later(now, wait),
        };
    }
}

fn added((least, most): (Duration, Duration), chance: Chance) -> Duration {
    least.saturating_add(chance.of(most))
}

/// Far instants that the clock cannot hold do not occur: settings are days at most.
fn later(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait).unwrap_or(now)
}
