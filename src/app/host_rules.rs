//! What this agent has changed on its host and is not to change any more: taken away at the start.
//!
//! **Invariants.** Each thing is noted in the data directory before the host is changed, and the note goes when the host
//! is as before. What is not noted is somebody else's: another agent with another data directory, or the operator.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use tracing::{info, warn};

use super::{metadata_barrier, task_address, task_lead, task_redirect, task_way};
use crate::boundary::BoundaryError;
use crate::config::Config;
use crate::config::sections::Front;
use crate::error::ErrorChain;
use crate::platform::{private_directory, private_file};

/// Directory of the notes in the data directory.
const NOTES: &str = "host";

/// What an agent changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Barrier,
    Lead,
    Address,
    Redirect,
}

impl Change {
    const ALL: [Self; 4] = [Self::Barrier, Self::Lead, Self::Address, Self::Redirect];

    /// Name of its note, and of the change in the log.
    fn as_str(self) -> &'static str {
        match self {
            Self::Barrier => "metadata-barrier",
            Self::Lead => "task-lead",
            Self::Address => "task-address",
            Self::Redirect => "task-redirect",
        }
    }

    fn is_wanted(self, config: &Config) -> bool {
        let listen = config.listen;
        match self {
            Self::Barrier => config.host.block_instance_metadata,
            Self::Lead => listen.at_address() && listen.front == Front::Led,
            Self::Address => listen.at_address(),
            Self::Redirect => listen.task_redirect,
        }
    }

    /// Makes the host as it was; `Ok(false)` = somebody else needs it now. `server` is what the rules lead to.
    async fn undo(self, server: SocketAddr) -> Result<bool, BoundaryError> {
        match self {
            Self::Barrier => metadata_barrier::release().await?,
            // Another agent's. A socket that listens there and that nobody serves is kept for this one.
            Self::Lead | Self::Address if task_way::is_served().await => return Ok(false),
            Self::Lead => {
                // Without the program for it nobody can say that there are none.
                task_lead::leads_to().await?;
                task_lead::release().await?;
            }
            Self::Address => task_address::release().await?,
            Self::Redirect => task_redirect::release(server).await?,
        }
        Ok(true)
    }
}

/// Takes away what an earlier run of this agent has changed and this one is not to, and notes what this one is about to
/// change. To be called before anything is changed.
pub(super) async fn settle(config: &Config, data_dir: &Path) {
    let notes = data_dir.join(NOTES);
    for change in Change::ALL {
        let note = notes.join(change.as_str());
        if change.is_wanted(config) {
            write(&notes, &note, config.listen.task_server);
        } else if let Ok(text) = fs::read_to_string(&note) {
            let server = text.trim().parse();
            undo(change, server.unwrap_or(config.listen.task_server), &note).await;
        }
    }
}

async fn undo(change: Change, server: SocketAddr, note: &Path) {
    let rule = change.as_str();
    match change.undo(server).await {
        // Asked again at the next start.
        Ok(false) => return,
        Ok(true) => info!(
            event = "host-rule-released",
            rule, "what an earlier run has set on this host was taken away"
        ),
        Err(error) => {
            let error = ErrorChain(&error).to_string();
            warn!(
                event = "host-rule-stays",
                rule,
                error,
                "what an earlier run has set on this host is not wanted and stays until the next start"
            );
            return;
        }
    }
    if let Err(error) = fs::remove_file(note) {
        warn!(event = "host-rule-noted", rule, %error, "a note in the data directory stays");
    }
}

/// A note that cannot be written keeps nothing from its work: it is `berth host clean` then that takes it away.
fn write(notes: &Path, note: &Path, server: SocketAddr) {
    let written = || -> io::Result<()> {
        private_directory(notes)?;
        let mut file = private_file(note)?;
        file.set_len(0)?;
        writeln!(file, "{server}")
    };
    if let Err(error) = written() {
        warn!(event = "host-rule-noted", %error, note = %note.display(), "what is set on this host cannot be noted");
    }
}
