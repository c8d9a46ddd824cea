//! One task in the foreground, from its start to its removal: follows the engine's snapshots and prints what is new.
//!
//! ```text
//! running ──stopped──► draining output ──done or 5 s──► removing ──gone or 2 min──► over
//!    │ Ctrl-C: stop in dependency order; again: kill; a third time: leave at once
//! ```
//!
//! **Invariant.** The exit code is taken from the last state seen of the task, before it is removed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::exit::{NEVER_STARTED, exit_code};
use super::follow::{Followers, Line, Piece};
use super::screen::Screen;
use super::view::{StateLine, View};
use crate::app::containers::Containers;
use crate::domain::ids::TaskArn;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::status::{ContainerStatus, TaskStatus};
use crate::domain::task::Task;
use crate::reconcile::handle::HandleError;
use crate::standalone::desired::Engine;

/// How long output may trail behind the end of its container.
const DRAIN: Duration = Duration::from_secs(5);

/// How long removal may take before the rest is left to the next start.
const REMOVE: Duration = Duration::from_mins(2);

/// Why a session ended early.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The engine is gone.
    #[error("the engine has ended")]
    EngineEnded,
    /// The engine refused.
    #[error("ask the engine")]
    Engine(#[from] HandleError),
    /// Nobody reads what is printed.
    #[error("print")]
    Print(#[from] std::io::Error),
    /// Asked three times: containers are left for the next start to clean up.
    #[error("interrupted; what is left is cleaned up at the next start")]
    Abandoned,
}

/// What a session leans on.
pub struct SessionDeps {
    /// The engine that has the task.
    pub engine: Arc<dyn Engine>,
    /// For output, and to kill.
    pub containers: Containers,
    /// One message for each Ctrl-C or request to end.
    pub interrupts: mpsc::Receiver<()>,
}

/// Whether the task is removed when it has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// Containers, volumes and cgroup go.
    Remove,
    /// They stay.
    Keep,
}

/// A session under way.
pub struct Session {
    deps: SessionDeps,
    arn: TaskArn,
    afterwards: Afterwards,
    screen: Screen,
    view: View,
    followers: Followers,
    kills: JoinSet<()>,
    interrupts: u32,
    last: Option<Task>,
    docker_trouble: Option<String>,
}

enum Phase {
    Running,
    Draining(Instant),
    Removing(Instant),
}

enum Turn {
    Changed,
    Interrupt,
    Piece(Piece),
    Late,
    EngineEnded,
}

impl Session {
    /// A session of a task that was put to the engine.
    pub fn new(deps: SessionDeps, arn: TaskArn, afterwards: Afterwards, screen: Screen) -> Self {
        let followers = Followers::new(deps.containers.clone());
        Self {
            deps,
            arn,
            afterwards,
            screen,
            view: View::default(),
            followers,
            kills: JoinSet::new(),
            interrupts: 0,
            last: None,
            docker_trouble: None,
        }
    }

    /// Runs to the end and gives the exit code.
    ///
    /// # Errors
    /// [`SessionError`]; the task may then still run.
    pub async fn run(mut self) -> Result<u8, SessionError> {
        let mut changes = self.deps.engine.changes();
        // The state may have changed before this subscription.
        changes.mark_changed();
        let mut phase = Phase::Running;
        loop {
            match self.turn(&mut changes, &phase).await {
                Turn::EngineEnded => return Err(SessionError::EngineEnded),
                Turn::Changed => self.look()?,
                Turn::Interrupt => self.interrupted().await?,
                Turn::Piece(piece) => self.print(piece)?,
                Turn::Late => {}
            }
            match self.advance(phase).await? {
                Some(next) => phase = next,
                None => break,
            }
        }
        let code = self.last.as_ref().map_or(NEVER_STARTED, exit_code);
        self.screen.result(code)?;
        Ok(code)
    }

    /// The phase after what was seen last; `None` = over.
    async fn advance(&mut self, mut phase: Phase) -> Result<Option<Phase>, SessionError> {
        if matches!(phase, Phase::Running) && self.stopped() {
            phase = Phase::Draining(Instant::now() + DRAIN);
        }
        if let Phase::Draining(until) = phase
            && (!self.followers.busy() || until <= Instant::now())
        {
            if self.afterwards == Afterwards::Keep || !self.begin_removal().await? {
                return Ok(None);
            }
            phase = Phase::Removing(Instant::now() + REMOVE);
        }
        if let Phase::Removing(until) = phase {
            if self.gone() {
                return Ok(None);
            }
            if until <= Instant::now() {
                let text = "removal takes too long; the next start finishes it";
                self.screen.note(text)?;
                return Ok(None);
            }
        }
        Ok(Some(phase))
    }

    async fn turn(&mut self, changes: &mut watch::Receiver<u64>, phase: &Phase) -> Turn {
        let late = async {
            match phase {
                Phase::Running => std::future::pending().await,
                Phase::Draining(until) | Phase::Removing(until) => {
                    tokio::time::sleep_until(*until).await;
                }
            }
        };
        // Each arm is cancel-safe: watch and mpsc receivers lose nothing, a sleep is to an instant.
        tokio::select! {
            alive = changes.changed() => match alive {
                Ok(()) => Turn::Changed,
                Err(_) => Turn::EngineEnded,
            },
            Some(()) = self.deps.interrupts.recv() => Turn::Interrupt,
            Some(piece) = self.followers.next() => Turn::Piece(piece),
            () = late => Turn::Late,
        }
    }

    fn look(&mut self) -> Result<(), SessionError> {
        let snapshot = self.deps.engine.snapshot();
        if self.docker_trouble != snapshot.engine.runtime_error {
            self.docker_trouble
                .clone_from(&snapshot.engine.runtime_error);
            match &self.docker_trouble {
                Some(why) => self
                    .screen
                    .note(format!("waiting: Docker does not answer: {why}"))?,
                None => self.screen.note("Docker answers")?,
            }
        }
        let Some(view) = snapshot.tasks.get(&self.arn) else {
            return Ok(());
        };
        let update = self.view.update(view);
        self.last = Some(view.task.clone());
        for line in &update.lines {
            self.screen.state(line)?;
        }
        for run in update.follow {
            self.followers.follow(run);
        }
        self.screen.pulls(&update.pulls);
        Ok(())
    }

    fn print(&mut self, piece: Piece) -> Result<(), SessionError> {
        let container = match &piece {
            Piece::Output(container, ..) | Piece::End(container, _) => container.clone(),
        };
        let (lines, why) = self.followers.take(piece);
        for Line {
            container,
            stream,
            bytes,
        } in lines
        {
            self.screen.output(&container, stream, &bytes)?;
        }
        if let Some(why) = why {
            self.screen.state(&StateLine {
                container: Some(container),
                text: format!("output cannot be read: {why}"),
            })?;
        }
        Ok(())
    }

    async fn interrupted(&mut self) -> Result<(), SessionError> {
        self.interrupts = self.interrupts.saturating_add(1);
        match self.interrupts {
            1 if self.docker_trouble.is_some() && self.nothing_made() => {
                self.screen
                    .note("nothing has been made that could be stopped")?;
                return Err(SessionError::Abandoned);
            }
            1 => {
                self.screen.note("stopping; once more to kill")?;
                let reason = Reason::new(ReasonName::UserInitiated, "interrupted");
                self.deps.engine.stop(&self.arn, reason).await?;
            }
            2 => {
                self.screen.note("killing")?;
                self.look()?;
                self.kill();
            }
            _ => return Err(SessionError::Abandoned),
        }
        Ok(())
    }

    /// Whether the task has never got so far that Docker could have been asked for anything.
    fn nothing_made(&self) -> bool {
        let last = self.last.as_ref();
        last.is_none_or(|task| task.known.admitted_at.is_none())
    }

    /// Sends every container that may live a SIGKILL; the engine sees them end.
    fn kill(&mut self) {
        let containers = self.last.iter().flat_map(|task| &task.known.containers);
        for (name, known) in containers {
            let Some(id) = known.docker_id.clone() else {
                continue;
            };
            if known.status == ContainerStatus::Stopped {
                continue;
            }
            let (containers, name) = (self.deps.containers.clone(), name.clone());
            self.kills.spawn(async move {
                if let Err(error) = containers.kill(&id).await {
                    tracing::warn!(event = "kill-failed", container.name = %name, %error, "{name} was not killed: {error}");
                }
            });
        }
    }

    fn stopped(&self) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|task| task.known.status == TaskStatus::Stopped)
    }

    fn gone(&self) -> bool {
        !self.deps.engine.snapshot().tasks.contains_key(&self.arn)
    }

    /// Asks for removal; false if there is nothing to remove any more.
    async fn begin_removal(&mut self) -> Result<bool, SessionError> {
        let reason = Reason::new(ReasonName::UserInitiated, "the run is over");
        match self.deps.engine.remove(&self.arn, reason).await {
            Ok(_) => Ok(true),
            Err(HandleError::NotFound(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
