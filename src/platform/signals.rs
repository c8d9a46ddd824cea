//! Requests to end: the first asks for an orderly end, each further one for an end at once.

use std::io;

use super::os::Signals;

/// How urgent the request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// First signal: stop accepting, finish, flush.
    Orderly,
    /// Any further one: end now.
    AtOnce,
}

/// Signals that ask the agent to end.
#[derive(Debug)]
pub struct ShutdownSignals {
    signals: Signals,
    stage: Stage,
}

/// Listens from now on: on Unix to SIGINT and SIGTERM, on Windows to Ctrl-C. Needs a runtime.
///
/// # Errors
/// The operating system refuses the handler.
pub fn shutdown_signals() -> io::Result<ShutdownSignals> {
    Ok(ShutdownSignals {
        signals: Signals::listen()?,
        stage: Stage::Orderly,
    })
}

impl ShutdownSignals {
    /// Waits for the next signal; gives its stage and its name. Cancel safe: a signal that was not taken is kept.
    pub async fn next(&mut self) -> (Stage, &'static str) {
        let name = self.signals.next().await;
        let stage = std::mem::replace(&mut self.stage, Stage::AtOnce);
        (stage, name)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use nix::sys::signal::{Signal, raise};

    use super::*;

    #[tokio::test]
    async fn the_second_signal_is_more_urgent_than_the_first() {
        let mut signals = shutdown_signals().unwrap();
        raise(Signal::SIGTERM).unwrap();
        assert_eq!(signals.next().await, (Stage::Orderly, "SIGTERM"));
        raise(Signal::SIGINT).unwrap();
        assert_eq!(signals.next().await, (Stage::AtOnce, "SIGINT"));
        raise(Signal::SIGTERM).unwrap();
        assert_eq!(signals.next().await, (Stage::AtOnce, "SIGTERM"));
    }
}
