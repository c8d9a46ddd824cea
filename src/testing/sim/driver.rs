//! A script that does not notice crashes: when the agent freezes at its gate, it is killed and started again, and the
//! step that was under way is tried anew, as a caller would.

use std::fmt::Write;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::definition::TaskDefinition;
use crate::domain::ids::TaskArn;
use crate::reconcile::handle::HandleError;
use crate::reconcile::snapshot::Snapshot;

use super::agent::Simulation;
use super::gate::CrashAt;

/// How long a crashed agent is away.
const AWAY: Duration = Duration::from_secs(1);

/// How long things may take to arrive after the last step; a container's calls may back off for a minute.
const ARRIVAL: Duration = Duration::from_mins(10);

/// How often is looked whether they have.
const LOOK: Duration = Duration::from_millis(200);

/// Drives one simulation.
pub struct Driver {
    /// The simulation.
    pub sim: Simulation,
    /// What went wrong on the way.
    pub wrong: Vec<String>,
    /// The calls at which the agent crashed.
    pub crashes: Vec<String>,
}

impl Driver {
    /// A host with an agent that has just begun, and that will crash at the nth call if one is given.
    pub fn new(crash: Option<(u64, CrashAt)>) -> Self {
        let mut sim = Simulation::new();
        if let Some((nth, at)) = crash {
            sim.gate.arm(nth, at);
        }
        sim.start();
        Self {
            sim,
            wrong: Vec::new(),
            crashes: Vec::new(),
        }
    }

    /// If the agent froze: kills it and starts another one.
    async fn restart(&mut self, call: String) {
        self.crashes.push(call);
        self.sim.crash().await;
        self.check();
        self.sim.pass(AWAY).await;
        self.sim.start();
    }

    fn check(&mut self) {
        let wrong = self.sim.check();
        self.wrong.extend(wrong);
    }

    /// Puts a task, again if need be.
    pub async fn put(&mut self, arn: &TaskArn, definition: TaskDefinition) {
        loop {
            let gate = self.sim.gate.clone();
            let put = self.sim.put(arn, definition.clone());
            // Cancel-safe: a put that is asked for again is the same put.
            let answer = tokio::select! {
                answer = put => Ok(answer),
                call = gate.frozen() => Err(call),
            };
            match answer {
                Ok(Ok(_)) => return,
                Ok(Err(refused)) => self.refused(&refused).await,
                Err(call) => self.restart(call).await,
            }
        }
    }

    /// Asks a task to stop, again if need be.
    pub async fn stop(&mut self, arn: &TaskArn) {
        loop {
            let gate = self.sim.gate.clone();
            // Cancel-safe: as above.
            let answer = tokio::select! {
                answer = self.sim.stop(arn) => Ok(answer),
                call = gate.frozen() => Err(call),
            };
            match answer {
                Ok(Ok(_) | Err(HandleError::NotFound(_))) => return,
                Ok(Err(refused)) => self.refused(&refused).await,
                Err(call) => self.restart(call).await,
            }
        }
    }

    /// Asks a task to go, again if need be.
    pub async fn remove(&mut self, arn: &TaskArn) {
        loop {
            let gate = self.sim.gate.clone();
            // Cancel-safe: as above.
            let answer = tokio::select! {
                answer = self.sim.remove(arn) => Ok(answer),
                call = gate.frozen() => Err(call),
            };
            match answer {
                Ok(Ok(_) | Err(HandleError::NotFound(_))) => return,
                Ok(Err(refused)) => self.refused(&refused).await,
                Err(call) => self.restart(call).await,
            }
        }
    }

    async fn refused(&mut self, refused: &HandleError) {
        if !matches!(refused, HandleError::NotDurable(_) | HandleError::Closed) {
            self.wrong.push(format!("a call was refused: {refused}"));
        }
        self.sim.pass(LOOK).await;
    }

    /// Lets time pass, through a crash if one comes.
    pub async fn pass(&mut self, time: Duration) {
        let gate = self.sim.gate.clone();
        // Cancel-safe: neither holds state.
        let crash = tokio::select! {
            () = self.sim.pass(time) => None,
            call = gate.frozen() => Some(call),
        };
        if let Some(call) = crash {
            self.restart(call).await;
        }
        self.check();
    }

    /// Lets time pass until the condition holds.
    pub async fn until(&mut self, what: &str, holds: impl Fn(&Snapshot) -> bool) {
        let deadline = Instant::now() + ARRIVAL;
        // An agent that has just begun knows nothing yet.
        let arrived = |snapshot: &Snapshot| snapshot.engine.relisted_at.is_some();
        loop {
            let snapshot = self.sim.snapshot();
            if arrived(&snapshot) && holds(&snapshot) {
                return;
            }
            if Instant::now() >= deadline {
                let mut words = format!("never came: {what}");
                for view in snapshot.tasks.values() {
                    let _infallible = write!(words, "\n{:#?}", view.task.known);
                }
                self.wrong.push(words);
                return;
            }
            self.pass(LOOK).await;
        }
    }

    /// Waits until everything has arrived, and notes what is wrong then.
    pub async fn settle(&mut self) {
        let deadline = Instant::now() + ARRIVAL;
        // What the other side still does for a dead agent comes within this time.
        self.pass(AWAY * 3).await;
        let mut left = self.sim.check_converged();
        while !left.is_empty() && Instant::now() < deadline {
            self.pass(LOOK * 5).await;
            left = self.sim.check_converged();
        }
        self.wrong.extend(left);
    }

    /// The end: gives what was wrong on the way and is wrong once everything has arrived.
    pub async fn finish(mut self) -> Vec<String> {
        self.settle().await;
        self.sim.stop_agent().await;
        self.wrong
    }
}
