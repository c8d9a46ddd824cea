//! Why the agent or a foreground run cannot go on.

use std::io;
use std::path::PathBuf;

use super::lifecycle::LifecycleError;
use crate::boundary::BoundaryError;
use crate::platform::LockError;
use crate::reconcile::handle::HandleError;

/// Why the agent or a foreground run cannot go on. Everything else is waited for or set aside (promise 4).
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The operating system refuses a signal handler.
    #[error("listen for signals")]
    Signals(#[source] io::Error),
    /// A directory of state cannot be made.
    #[error("make the directory {}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another agent has the data directory, or it has no locks.
    #[error("lock the data directory")]
    Lock(#[from] LockError),
    /// The state directory can never be used as it is.
    #[error("open the state directory")]
    Store(#[source] BoundaryError),
    /// The Docker endpoint is not one.
    #[error("set up Docker")]
    Docker(#[source] BoundaryError),
    /// The engine refuses the task.
    #[error("put the task")]
    Put(#[from] HandleError),
    /// A component ended by itself.
    #[error("run the agent")]
    Lifecycle(#[from] LifecycleError),
    /// There can be no parent of agents.
    #[error("supervise the agent")]
    Supervise(#[source] io::Error),
    /// A socket that was claimed cannot be used twice.
    #[error("serve containers")]
    Claim(#[source] io::Error),
    /// A signal came before the agent had begun.
    #[error("told to end before the state directory could be used")]
    Cancelled,
}
