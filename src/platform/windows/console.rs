//! Who asks the agent to end: a console, or the service manager.

use std::io;

use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

use super::service::asked_to_end;

/// Ctrl-C and Ctrl-Break of the console.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: CtrlC,
    stop: CtrlBreak,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: ctrl_c()?,
            stop: ctrl_break()?,
        })
    }

    /// The name of the next one.
    pub(crate) async fn next(&mut self) -> &'static str {
        // All are cancel safe: a signal that was not taken is kept.
        tokio::select! {
            Some(()) = self.interrupt.recv() => "Ctrl-C",
            Some(()) = self.stop.recv() => "Ctrl-Break",
            () = asked_to_end() => "service stop",
        }
    }
}
