//! The address of the task server on this host: given to the adapter of Docker's network, by programs of Windows.

use std::io;
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::boundary::{BoundaryError, ErrorKind, HeldAddress, TaskAddress};
use crate::platform::command::{Command, CommandError};
use crate::platform::task_host::{ADAPTER, ADDRESS, Step, clean, set_up};

/// Longest run of one of those programs.
const STEP_LIMIT: Duration = Duration::from_secs(20);

/// From one try that failed to the next: the address is asked for every second.
const TRY_PACE: Duration = Duration::from_secs(30);

/// How long a new address may take until it can be used: Windows first looks whether another host has it.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// How often it is looked at meanwhile.
const SETTLE_PACE: Duration = Duration::from_millis(250);

/// Runs programs of Windows.
#[async_trait]
pub trait RunSteps: Send + Sync {
    /// Runs one to its end.
    async fn run(&self, step: &Step) -> Result<(), CommandError>;
}

/// Runs them.
#[derive(Debug, Default)]
pub struct Programs;

#[async_trait]
impl RunSteps for Programs {
    async fn run(&self, step: &Step) -> Result<(), CommandError> {
        let command = Command::new(step.program, STEP_LIMIT).args(&step.args);
        command.run().await.map(drop)
    }
}

/// The address on this host.
pub type TaskLink = Link<Programs>;

/// The address, given by those programs.
#[derive(Debug, Default)]
pub struct Link<P> {
    programs: P,
    /// When and why the last try failed.
    failed: Mutex<Option<(Instant, String)>>,
}

impl<P: RunSteps> Link<P> {
    async fn run(&self, steps: Vec<Step>) -> Result<(), BoundaryError> {
        for step in steps {
            match self.programs.run(&step).await {
                Err(error) if !step.may_fail => {
                    let operation = "give this host the address of the task server";
                    let words = format!(
                        "the adapter {ADAPTER} cannot be given {ADDRESS}: is Docker's network `nat` there, and does the agent run as an administrator?"
                    );
                    return Err(
                        BoundaryError::new(operation, ErrorKind::Unavailable, words).because(error)
                    );
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn recent_failure(&self) -> Option<BoundaryError> {
        let failed = self
            .failed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let (at, words) = failed.as_ref()?;
        (at.elapsed() < TRY_PACE).then(|| refused(words.clone()))
    }

    fn remember(&self, failure: Option<String>) {
        let mut failed = self
            .failed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *failed = failure.map(|words| (Instant::now(), words));
    }

    async fn try_ensure(&self) -> Result<HeldAddress, BoundaryError> {
        self.run(set_up()).await?;
        let began = Instant::now();
        loop {
            if is_here() {
                return Ok(held());
            }
            if began.elapsed() > SETTLE_LIMIT {
                return Err(refused(format!(
                    "{ADDRESS} was given to the adapter {ADAPTER}, and is still no address of this host"
                )));
            }
            tokio::time::sleep(SETTLE_PACE).await;
        }
    }
}

#[async_trait]
impl<P: RunSteps> TaskAddress for Link<P> {
    async fn ensure(&self) -> Result<HeldAddress, BoundaryError> {
        if is_here() {
            return Ok(held());
        }
        if let Some(error) = self.recent_failure() {
            return Err(error);
        }
        let tried = self.try_ensure().await;
        self.remember(
            tried
                .as_ref()
                .err()
                .map(|error| crate::error::ErrorChain(error).to_string()),
        );
        tried
    }

    async fn look(&self) -> Result<Option<HeldAddress>, BoundaryError> {
        Ok(is_here().then(held))
    }

    async fn release(&self) -> Result<(), BoundaryError> {
        self.run(clean()).await
    }

    async fn changed(&self) -> Result<(), BoundaryError> {
        // Nothing tells: the caller looks from time to time.
        std::future::pending().await
    }
}

/// Whether the address is one of this host's that can be used: then a socket can be bound there.
fn is_here() -> bool {
    match TcpListener::bind((ADDRESS, 0)) {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::AddrNotAvailable,
    }
}

fn held() -> HeldAddress {
    HeldAddress {
        link: ADAPTER.to_owned(),
        own_link: false,
    }
}

fn refused(words: String) -> BoundaryError {
    let operation = "give this host the address of the task server";
    BoundaryError::new(operation, ErrorKind::Unavailable, words)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Programs that are not there. Those of Wine say that all went well and do nothing.
    #[derive(Default)]
    struct Missing(AtomicUsize);

    #[async_trait]
    impl RunSteps for Missing {
        async fn run(&self, step: &Step) -> Result<(), CommandError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let program = step.program.to_owned();
            Err(CommandError::Missing { program })
        }
    }

    #[tokio::test]
    async fn what_cannot_be_set_up_is_told_and_not_tried_every_second() {
        if is_here() {
            return;
        }
        let link = Link::<Missing>::default();
        for _ in 0..3 {
            let error = link.ensure().await.unwrap_err();
            assert!(error.message.contains("vEthernet (nat)"), "{error}");
        }
        assert_eq!(link.programs.0.load(Ordering::SeqCst), 1);
        assert_eq!(link.look().await.unwrap(), None);
        assert!(link.release().await.is_ok(), "there is nothing to release");
    }
}
