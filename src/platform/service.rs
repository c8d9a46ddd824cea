//! The agent as a service of Windows: what the service manager is told, and when. Pure; what acts is in `windows/`.
//!
//! ```text
//! start pending ──► running ──stop, shutdown, preshutdown──► stop pending ──► stopped
//!                      └──────── the agent ends by itself ──────┘
//! ```
//!
//! **Invariants.** The manager hears that the service runs before the agent reads a setting or asks Docker: it gives a
//! process 30 seconds, and Docker may need longer. The agent is told to end once. An end with an error is one for the
//! manager too, so that it starts the service again, except where starting again cannot help.

use std::io;
use std::path::PathBuf;

pub use super::os::{install, run, start, status, stop, uninstall};

/// Name of the service: what scripts for ECS agents ask for.
pub const NAME: &str = "AmazonECS";

/// Name for people.
pub const DISPLAY_NAME: &str = "Amazon ECS";

/// What the service is, for people.
pub const DESCRIPTION: &str = "Runs tasks of Amazon ECS on this host's Docker Engine. Tasks go on running while it is stopped.";

/// Exit code of an agent that must not be started again.
const TERMINAL: u8 = 5;

/// What the service manager asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The end.
    Stop,
    /// The host is going down.
    Shutdown,
    /// The host is about to; there is more time than at shutdown.
    Preshutdown,
    /// To be told again where the service is.
    Interrogate,
    /// Something that does not concern the agent.
    Other,
}

impl Control {
    /// Whether it is the host that goes down, and not the agent alone.
    pub fn is_of_host(self) -> bool {
        match self {
            Self::Shutdown | Self::Preshutdown => true,
            Self::Stop | Self::Interrogate | Self::Other => false,
        }
    }
}

/// Where the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The process has begun.
    StartPending,
    /// The agent runs.
    Running,
    /// The agent was told to end.
    StopPending,
    /// The agent has ended.
    Stopped(Exit),
}

/// How the service has ended, for the manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As it should: it is not started again.
    Well,
    /// With an error of its own; recovery starts it again.
    Code(u32),
}

/// The end of an agent with that exit code.
pub fn exit_of(code: u8) -> Exit {
    match code {
        0 | TERMINAL => Exit::Well,
        other => Exit::Code(u32::from(other)),
    }
}

/// What follows from a control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What the manager is told.
    pub report: Option<State>,
    /// The agent is told to end.
    pub tell: bool,
}

/// One life of the service.
#[derive(Debug)]
pub struct Course {
    state: State,
}

impl Course {
    /// Begins; what the manager is told at once.
    pub fn begin() -> (Self, [State; 2]) {
        let state = State::Running;
        (Self { state }, [State::StartPending, state])
    }

    /// The manager asks.
    pub fn on(&mut self, control: Control) -> Answer {
        match (control, self.state) {
            (Control::Stop | Control::Shutdown | Control::Preshutdown, State::Running) => {
                self.state = State::StopPending;
                Answer {
                    report: Some(self.state),
                    tell: true,
                }
            }
            (Control::Other, _) => Answer::default(),
            (
                Control::Stop | Control::Shutdown | Control::Preshutdown | Control::Interrogate,
                state,
            ) => Answer {
                report: Some(state),
                tell: false,
            },
        }
    }

    /// The agent has ended with that exit code: what the manager is told, in order.
    pub fn ended(&mut self, code: u8) -> Vec<State> {
        let over = State::Stopped(exit_of(code));
        let told = match self.state {
            State::StopPending => vec![over],
            State::StartPending | State::Running | State::Stopped(_) => {
                vec![State::StopPending, over]
            }
        };
        self.state = over;
        told
    }
}

/// When the service is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the host, after the services that others wait for.
    #[default]
    Delayed,
    /// When somebody asks.
    Manual,
    /// Not at all.
    Disabled,
}

/// How the service is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// When it is started.
    pub start: Start,
}

/// A service could not be had as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// This system has no such services.
    #[error("this system has no services of Windows; on Linux, `deploy/systemd` has units")]
    Unsupported,
    /// It is not installed.
    #[error("there is no service {NAME}: `berth service install` makes it")]
    Missing,
    /// Not allowed.
    #[error("no permission to {0}: run as an administrator")]
    Denied(&'static str),
    /// It was not started by the service manager.
    #[error(
        "the service manager has not started this process: use `berth service start`, or `berth agent` in a console"
    )]
    NoManager,
    /// It has ended instead of running.
    #[error("the service has ended at once, with code {0}: see its log")]
    Ended(u32),
    /// It does not get where it should be in time.
    #[error("the service is {now} and not {wanted} after {} s: see its log", limit.as_secs())]
    Late {
        /// Where it is.
        now: String,
        /// Where it should be.
        wanted: &'static str,
        /// How long was waited.
        limit: std::time::Duration,
    },
    /// A step failed.
    #[error("cannot {step}")]
    Failed {
        /// What was tried.
        step: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: [Control; 3] = [Control::Stop, Control::Shutdown, Control::Preshutdown];

    #[test]
    fn the_manager_hears_that_it_runs_at_once() {
        let (_, told) = Course::begin();
        assert_eq!(told, [State::StartPending, State::Running]);
    }

    #[test]
    fn the_agent_is_told_to_end_once() {
        for first in ENDS {
            let (mut course, _) = Course::begin();
            let report = Some(State::StopPending);
            assert_eq!(course.on(first), Answer { report, tell: true });
            for again in ENDS {
                let answer = course.on(again);
                assert_eq!(
                    answer,
                    Answer {
                        report,
                        tell: false
                    },
                    "{again:?}"
                );
            }
            assert_eq!(course.ended(0), [State::Stopped(Exit::Well)]);
        }
    }

    #[test]
    fn only_the_ends_of_the_host_stop_its_tasks() {
        let of_host = ENDS.map(Control::is_of_host);
        assert_eq!(of_host, [false, true, true]);
        assert!(!Control::Interrogate.is_of_host());
    }

    #[test]
    fn who_asks_where_it_is_is_told_and_nothing_else_matters() {
        let (mut course, _) = Course::begin();
        let state = |course: &mut Course| course.on(Control::Interrogate).report;
        assert_eq!(state(&mut course), Some(State::Running));
        assert_eq!(course.on(Control::Other), Answer::default());
        course.on(Control::Stop);
        assert_eq!(state(&mut course), Some(State::StopPending));
        course.ended(0);
        assert_eq!(state(&mut course), Some(State::Stopped(Exit::Well)));
        assert!(!course.on(Control::Stop).tell, "there is nobody to tell");
    }

    #[test]
    fn an_agent_that_ends_by_itself_passes_through_the_same_states() {
        let (mut course, _) = Course::begin();
        assert_eq!(
            course.ended(1),
            [State::StopPending, State::Stopped(Exit::Code(1))]
        );
    }

    #[test]
    fn only_an_end_that_a_start_may_mend_is_an_error() {
        for (code, exit) in [
            (0, Exit::Well),
            (5, Exit::Well),
            (1, Exit::Code(1)),
            (42, Exit::Code(42)),
            (255, Exit::Code(255)),
        ] {
            assert_eq!(exit_of(code), exit);
        }
    }
}
