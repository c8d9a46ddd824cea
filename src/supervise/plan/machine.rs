//! One agent at a time: when it is started, told to end, given up, and which version of it.
//!
//! ```text
//!            ┌────────── wait over ───────────┐
//!            ▼                                │
//!        Running ──ended by itself──► Waiting ┘
//!         │  ▲ ▲
//!  asked  │  │ └─ trial is ready: it is the version from now on
//!  for an │  │
//!  upgrade▼  │ old version again
//!      Leaving ──ended──► Running on trial ──not serving or not ready in time──► Killed ──ended──┐
//!                            └── ended by itself ───────────────────────────────────────────────┴─► Running
//! ```
//!
//! Asked to end, whatever the state, the agent is told and waited for: Ending.
//!
//! **Invariants.** The next agent is started only after the one before has ended. A version that has not been ready is
//! never started a second time unless somebody asks. Nothing but a request to end makes the parent give up.

use std::time::Duration;

/// First wait after an agent that ended by itself soon after another that did.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Longest wait between two starts.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// An agent that ran as long has ended for another reason than the one before.
const STEADY: Duration = Duration::from_mins(1);

/// How long an agent may take to end for the sake of a new version; its own orderly end has limits that add up to less.
const LEAVE_LIMIT: Duration = Duration::from_secs(20);

/// How long it may take to end for good: 2 s to ask whether the host goes down, 25 s for the tasks of ECS then, 16 s for
/// its components. Less than the 60 s after which the unit's service manager kills.
const END_LIMIT: Duration = Duration::from_secs(45);

/// How soon a version on trial has to serve containers, which wait meanwhile: it takes some tenths of a second.
const SERVING_LIMIT: Duration = Duration::from_secs(5);

/// How far an agent says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// It serves containers.
    Serving,
    /// No check of its fails.
    Ready,
}

impl Progress {
    /// The line that says so.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "SERVING",
            Self::Ready => "READY",
        }
    }

    /// What a line says; a newer version may have words that this one does not know.
    pub fn parse(line: &str) -> Option<Self> {
        let all = [Self::Serving, Self::Ready];
        all.into_iter()
            .find(|progress| progress.as_str() == line.trim_end())
    }
}

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The one that was well last; the one that the parent began with, if none was yet.
    Held,
    /// The one that lies at the path now.
    AtPath,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The agent has ended, or could not be started. Whether it ended as it should.
    Ended {
        /// With exit code 0.
        well: bool,
    },
    /// The agent says how far it is.
    Progress(Progress),
    /// Somebody asks for the version at the path.
    Upgrade,
    /// Somebody asks for the end.
    End,
    /// The time of [`Machine::due`] has come.
    Due,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start an agent.
    Start(Version),
    /// Ask the agent to end, in order.
    Tell,
    /// End the agent at once.
    Kill,
    /// The version at the path, as it was started, is held from now on.
    Hold,
    /// Say so.
    Say(Word),
    /// End with that exit code.
    Over(u8),
}

/// What operators are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The agent has ended by itself and is started again after that wait.
    Restarts(Duration),
    /// A new version is wanted: the old one is told to end.
    Leaves,
    /// It did not end in time.
    IsKilled,
    /// The new version is ready.
    Upgraded,
    /// It has ended before it was ready; the old one comes back.
    EndedOnTrial,
    /// It did not serve or was not ready in time; the old one comes back.
    LateOnTrial,
}

/// Instants are durations since the parent began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running {
        since: Duration,
    },
    Trial {
        serve_by: Option<Duration>,
        ready_by: Duration,
    },
    Waiting {
        until: Duration,
    },
    Leaving {
        kill_at: Option<Duration>,
    },
    Killed,
    Ending {
        kill_at: Option<Duration>,
    },
    Over,
}

/// The state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    phase: Phase,
    /// Ends in a row that came soon.
    failures: u32,
    /// An upgrade was asked for while one was under way.
    again: bool,
    /// How long a version on trial may take to be ready.
    ready_limit: Duration,
}

impl Machine {
    /// Begins with the version that is held.
    pub fn begin(ready_limit: Duration, now: Duration) -> (Self, Vec<Effect>) {
        let machine = Self {
            phase: Phase::Running { since: now },
            failures: 0,
            again: false,
            ready_limit,
        };
        (machine, vec![Effect::Start(Version::Held)])
    }

    /// When [`Event::Due`] is to be brought if nothing happens before.
    pub fn due(&self) -> Option<Duration> {
        match self.phase {
            Phase::Trial { serve_by, ready_by } => Some(serve_by.unwrap_or(ready_by).min(ready_by)),
            Phase::Waiting { until } => Some(until),
            Phase::Leaving { kill_at } | Phase::Ending { kill_at } => kill_at,
            Phase::Running { .. } | Phase::Killed | Phase::Over => None,
        }
    }

    /// What follows from the event.
    pub fn on(&mut self, event: Event, now: Duration) -> Vec<Effect> {
        match event {
            Event::Ended { well } => self.ended(well, now),
            Event::Progress(progress) => self.progressed(progress, now),
            Event::Upgrade => self.upgrade(now),
            Event::End => self.end(now),
            Event::Due if self.due().is_some_and(|due| due <= now) => self.late(now),
            Event::Due => Vec::new(),
        }
    }

    fn ended(&mut self, well: bool, now: Duration) -> Vec<Effect> {
        match self.phase {
            Phase::Running { since } => {
                if now.saturating_sub(since) >= STEADY {
                    self.failures = 0;
                }
                let wait = wait_after(self.failures);
                self.failures = self.failures.saturating_add(1);
                let said = Effect::Say(Word::Restarts(wait));
                if wait.is_zero() {
                    return [vec![said], self.start_held(now)].concat();
                }
                let until = now.saturating_add(wait);
                self.phase = Phase::Waiting { until };
                vec![said]
            }
            Phase::Trial { .. } => {
                let said = Effect::Say(Word::EndedOnTrial);
                [vec![said], self.back(now)].concat()
            }
            Phase::Killed => self.back(now),
            Phase::Leaving { .. } => self.try_new(now),
            Phase::Ending { .. } => {
                self.phase = Phase::Over;
                vec![Effect::Over(u8::from(!well))]
            }
            Phase::Waiting { .. } | Phase::Over => Vec::new(),
        }
    }

    fn progressed(&mut self, progress: Progress, now: Duration) -> Vec<Effect> {
        let Phase::Trial { ready_by, .. } = self.phase else {
            return Vec::new();
        };
        match progress {
            Progress::Serving => {
                let serve_by = None;
                self.phase = Phase::Trial { serve_by, ready_by };
                Vec::new()
            }
            Progress::Ready => {
                self.phase = Phase::Running { since: now };
                self.failures = 0;
                let done = vec![Effect::Hold, Effect::Say(Word::Upgraded)];
                [done, self.once_more(now)].concat()
            }
        }
    }

    fn upgrade(&mut self, now: Duration) -> Vec<Effect> {
        match self.phase {
            Phase::Running { .. } => {
                let kill_at = Some(now.saturating_add(LEAVE_LIMIT));
                self.phase = Phase::Leaving { kill_at };
                vec![Effect::Say(Word::Leaves), Effect::Tell]
            }
            Phase::Waiting { .. } => self.try_new(now),
            Phase::Trial { .. } | Phase::Killed => {
                self.again = true;
                Vec::new()
            }
            // The version at the path is looked up when the old one has ended.
            Phase::Leaving { .. } | Phase::Ending { .. } | Phase::Over => Vec::new(),
        }
    }

    fn end(&mut self, now: Duration) -> Vec<Effect> {
        match self.phase {
            Phase::Waiting { .. } => {
                self.phase = Phase::Over;
                vec![Effect::Over(0)]
            }
            Phase::Over => Vec::new(),
            // A further request has the agent end at once, as it does by itself.
            Phase::Ending { .. } => vec![Effect::Tell],
            Phase::Leaving { .. } => {
                let kill_at = Some(now.saturating_add(END_LIMIT));
                self.phase = Phase::Ending { kill_at };
                // It has been told, and told again it would take no leave.
                Vec::new()
            }
            Phase::Running { .. } | Phase::Trial { .. } | Phase::Killed => {
                let kill_at = Some(now.saturating_add(END_LIMIT));
                self.phase = Phase::Ending { kill_at };
                vec![Effect::Tell]
            }
        }
    }

    fn late(&mut self, now: Duration) -> Vec<Effect> {
        match self.phase {
            Phase::Waiting { .. } => self.start_held(now),
            Phase::Trial { .. } => {
                self.phase = Phase::Killed;
                vec![Effect::Say(Word::LateOnTrial), Effect::Kill]
            }
            Phase::Leaving { .. } => {
                self.phase = Phase::Leaving { kill_at: None };
                vec![Effect::Say(Word::IsKilled), Effect::Kill]
            }
            Phase::Ending { .. } => {
                self.phase = Phase::Ending { kill_at: None };
                vec![Effect::Say(Word::IsKilled), Effect::Kill]
            }
            Phase::Running { .. } | Phase::Killed | Phase::Over => Vec::new(),
        }
    }

    fn start_held(&mut self, now: Duration) -> Vec<Effect> {
        self.phase = Phase::Running { since: now };
        vec![Effect::Start(Version::Held)]
    }

    fn try_new(&mut self, now: Duration) -> Vec<Effect> {
        self.again = false;
        self.phase = Phase::Trial {
            serve_by: Some(now.saturating_add(SERVING_LIMIT)),
            ready_by: now.saturating_add(self.ready_limit),
        };
        vec![Effect::Start(Version::AtPath)]
    }

    /// The held version comes back after a trial; if one more was asked for meanwhile, that is tried instead.
    fn back(&mut self, now: Duration) -> Vec<Effect> {
        if self.again {
            return self.try_new(now);
        }
        self.start_held(now)
    }

    fn once_more(&mut self, now: Duration) -> Vec<Effect> {
        if std::mem::take(&mut self.again) {
            return self.upgrade(now);
        }
        Vec::new()
    }
}

/// None before the first restart: containers wait for it.
fn wait_after(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else {
        return Duration::ZERO;
    };
    FIRST_WAIT
        .saturating_mul(1 << doublings.min(16))
        .min(LONGEST_WAIT)
}
