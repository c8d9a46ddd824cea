//! The parent: keeps the sockets, runs one agent, and does what the machine says.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::plan::handed::PROGRESS_PIPE;
use super::plan::machine::{Effect, Event, Machine, Progress, Version, Word};
use crate::platform::{AgentProcess, Asked, ChildNews, KeptSocket, Launch, ParentSignals, Program};

/// The sockets that are kept.
#[async_trait]
pub trait Sockets: Send {
    /// All that can be had: those that are there, and those that could not be had before and can now. What cannot be
    /// had is left to the agent, with a word.
    async fn all(&mut self) -> &[KeptSocket];
}

/// Settings.
#[derive(Clone, Debug)]
pub struct ParentConfig {
    /// Where the program lies.
    pub program: PathBuf,
    /// Arguments of the agent.
    pub args: Vec<OsString>,
    /// Variable by which the agent knows who handed it the sockets.
    pub parent_variable: &'static str,
    /// How long a new version may take to be ready.
    pub ready_limit: Duration,
}

/// The parent of one agent after the other.
pub struct Parent<S> {
    config: ParentConfig,
    sockets: S,
    signals: ParentSignals,
    held: Program,
    trial: Option<Program>,
    child: Option<AgentProcess>,
    began: Instant,
}

enum Turn {
    Child(ChildNews),
    Asked(Asked),
    Due,
}

impl<S: Sockets> Parent<S> {
    /// Holds the program; nothing is started before [`Parent::run`]. Needs a runtime.
    ///
    /// # Errors
    /// The program cannot be opened, or signals cannot be listened to.
    pub fn new(config: ParentConfig, sockets: S) -> io::Result<Self> {
        Ok(Self {
            signals: ParentSignals::listen()?,
            held: Program::open(&config.program)?,
            config,
            sockets,
            trial: None,
            child: None,
            began: Instant::now(),
        })
    }

    /// Runs agents until somebody asks for the end; gives the exit code.
    pub async fn run(mut self) -> u8 {
        let (mut machine, mut effects) = Machine::begin(self.config.ready_limit, Duration::ZERO);
        loop {
            let mut failed = false;
            for effect in effects {
                match effect {
                    Effect::Start(version) => failed = !self.start(version).await,
                    Effect::Tell => self.signal("ask", AgentProcess::tell),
                    Effect::Kill => self.signal("kill", AgentProcess::kill),
                    Effect::Hold => self.hold(),
                    Effect::Say(word) => say(word),
                    Effect::Over(code) => return code,
                }
            }
            let event = if failed {
                Some(Event::Ended { well: false })
            } else {
                let due = machine.due();
                let turn = self.turn(due).await;
                self.heard(turn)
            };
            effects = event.map_or_else(Vec::new, |event| machine.on(event, self.began.elapsed()));
        }
    }

    /// Whether it could be started.
    async fn start(&mut self, version: Version) -> bool {
        let opened = match version {
            Version::Held => {
                self.trial = None;
                Ok(&self.held)
            }
            Version::AtPath => match Program::open(&self.config.program) {
                Ok(program) => Ok(&*self.trial.insert(program)),
                Err(error) => Err(error),
            },
        };
        let started = match opened {
            Ok(program) => {
                let launch = Launch {
                    args: &self.config.args,
                    sockets: self.sockets.all().await,
                    pipe: PROGRESS_PIPE,
                    parent_variable: self.config.parent_variable,
                };
                AgentProcess::start(program, &launch)
            }
            Err(error) => Err(error),
        };
        match started {
            Ok(child) => {
                info!(
                    event = "agent-started",
                    pid = child.id(),
                    "the agent is started"
                );
                self.child = Some(child);
                true
            }
            Err(error) => {
                let path = self.config.program.display();
                error!(event = "agent-not-started", %error, %path, "the agent cannot be started");
                false
            }
        }
    }

    fn signal(&self, what: &str, send: impl FnOnce(&AgentProcess) -> io::Result<()>) {
        if let Some(Err(error)) = self.child.as_ref().map(send) {
            error!(event = "agent-not-signalled", %error, what, "the agent cannot be sent a signal");
        }
    }

    fn hold(&mut self) {
        if let Some(program) = self.trial.take() {
            self.held = program;
        }
    }

    async fn turn(&mut self, due: Option<Duration>) -> Turn {
        let due = due.map(|due| self.began + due);
        let Self { child, signals, .. } = self;
        let wait = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let news = async {
            match child {
                Some(child) => child.next().await,
                None => std::future::pending().await,
            }
        };
        // Each arm is cancel-safe: news and signals by their documentation, the sleep is to an instant.
        tokio::select! {
            news = news => Turn::Child(news),
            asked = signals.next() => Turn::Asked(asked),
            () = wait => Turn::Due,
        }
    }

    fn heard(&mut self, turn: Turn) -> Option<Event> {
        match turn {
            Turn::Child(ChildNews::Said(line)) => Progress::parse(&line).map(Event::Progress),
            Turn::Child(ChildNews::Ended { well, how }) => {
                info!(event = "agent-ended", how, "the agent has ended");
                self.child = None;
                Some(Event::Ended { well })
            }
            Turn::Asked(Asked::Upgrade) => Some(Event::Upgrade),
            Turn::Asked(Asked::End) => {
                info!(
                    event = "stopping",
                    "asked to end; containers are left running"
                );
                Some(Event::End)
            }
            Turn::Due => Some(Event::Due),
        }
    }
}

fn say(word: Word) {
    match word {
        Word::Restarts(wait) => {
            let wait_ms = wait.as_millis();
            warn!(
                event = "agent-restarted",
                wait_ms, "the agent has ended by itself and is started again"
            );
        }
        Word::Leaves => info!(
            event = "upgrade-begun",
            "the version at the path takes over: the agent is asked to end"
        ),
        Word::IsKilled => warn!(
            event = "agent-killed",
            "the agent does not end in time and is killed"
        ),
        Word::Upgraded => info!(event = "upgrade-done", "the new version is ready and stays"),
        Word::EndedOnTrial => {
            error!(
                event = "upgrade-undone",
                "the new version ended before it was ready; the old one comes back"
            );
        }
        Word::LateOnTrial => error!(
            event = "upgrade-undone",
            "the new version is not well in time; the old one comes back"
        ),
    }
}
