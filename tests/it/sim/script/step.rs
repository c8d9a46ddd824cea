//! The steps of a scenario as data.

use std::time::Duration;

use berth::domain::definition::TaskDefinition;
use berth::domain::ids::ContainerName;
use berth::domain::image::PullBehavior;
use berth::domain::status::TaskStatus;
use berth::testing::sim::CrashAt;
use berth::testing::world::{EventFate, Fault};

/// A step with the line that it was read from.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) step: Step,
}

/// A container of a task: `web/app`.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) task: String,
    pub(super) container: ContainerName,
}

#[derive(Debug)]
pub(super) enum Step {
    Define(String, Box<TaskDefinition>),
    Put(String),
    Stop(String),
    Remove(String),
    /// True = no new task starts from now on.
    Drain(bool),
    Die {
        place: Place,
        code: i64,
        oom: bool,
    },
    ByHand(Place, ByHand),
    Break(Fault),
    Release,
    Heal,
    Events(EventFate),
    Dockerd(Dockerd),
    Agent(Agent),
    Database(Database),
    Port {
        port: u16,
        taken: bool,
    },
    Health {
        container: ContainerName,
        healthy: bool,
    },
    Pulls(PullBehavior),
    Advance(Duration),
    /// Milliseconds.
    Clock(i64),
    Until {
        task: String,
        /// `None` = gone.
        status: Option<TaskStatus>,
        within: Duration,
    },
    Show(Show),
}

/// What somebody does with `docker`.
#[derive(Debug)]
pub(super) enum ByHand {
    Remove,
    Stop,
    Kill,
    Start,
    Restart,
    Pause,
    Unpause,
    Rename(String),
}

#[derive(Debug)]
pub(super) enum Dockerd {
    Stop,
    Start,
    Crash,
    Restart { live: bool },
}

#[derive(Debug)]
pub(super) enum Agent {
    Start,
    Stop,
    Crash,
    LosePower,
    CrashAt(String, CrashAt),
}

#[derive(Debug)]
pub(super) enum Database {
    Lose,
    Fill,
    Empty,
    LoseAnswers(u32),
}

#[derive(Debug)]
pub(super) enum Show {
    Tasks,
    Why,
    Events(String),
    Containers,
    Left,
}
