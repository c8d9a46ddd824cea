//! Windows, as far as it goes: the signals are its own, everything else is what a system without support gives. The
//! service, named pipes and job objects are not here yet.

use std::io;

use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

pub use super::unsupported::{
    AgentProcess, BarrierOs, HostOptions, HostOs, ParentSignals, PeersOs, Program, RedirectOs,
    TaskLink, UsageOptions, UsageOs, capacity, dynamic_ports, end_with_parent, forget_key,
    handed_descriptors, is_root, kept_key, listen_ahead, parent_id, release_start_up_code,
};

/// Ctrl-C and Ctrl-Break of the console.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: CtrlC,
    stop: CtrlBreak,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: ctrl_c()?,
            stop: ctrl_break()?,
        })
    }

    /// The name of the next one.
    pub(super) async fn next(&mut self) -> &'static str {
        // Both are cancel safe: a signal that was not taken is kept.
        tokio::select! {
            Some(()) = self.interrupt.recv() => "Ctrl-C",
            Some(()) = self.stop.recv() => "Ctrl-Break",
            else => std::future::pending().await,
        }
    }
}
