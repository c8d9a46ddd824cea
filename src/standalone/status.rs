//! What the watched directory shows of itself.

use std::collections::BTreeMap;

use crate::domain::ids::{TaskArn, UnixMillis};

/// The directory and its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryStatus {
    /// Why the directory could not be looked at last time; its tasks are left alone meanwhile.
    pub problem: Option<String>,
    /// Files by name without the extension.
    pub files: BTreeMap<String, FileStatus>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Where its task stands.
    pub state: FileState,
    /// Its task: the live one, else the last one known.
    pub task: Option<TaskArn>,
    /// Why the file as it is now cannot be run, one line each. The last good version counts meanwhile.
    pub problems: Vec<String>,
    /// What of it is changed or ignored on this host, one line each.
    pub warnings: Vec<String>,
}

/// Where a file's task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// Its task is live.
    Live,
    /// An older version is being stopped first.
    Replacing,
    /// Its task is stopping.
    Stopping,
    /// Its task is about to be put to the engine.
    Starting,
    /// Its task has failed and will be started anew.
    Waiting {
        /// When.
        until: UnixMillis,
        /// How often it has ended in a row.
        ends: u32,
    },
    /// Its task has ended with exit code 0 and is not started anew.
    Completed,
    /// Its task has failed and is not started anew.
    Failed,
    /// Somebody stopped its task; it is started again when the file changes.
    StoppedByUser,
    /// No good version of the file is known.
    Rejected,
    /// The file is gone and its task is being removed.
    Removing,
}

impl FileState {
    /// Word for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::Replacing => "REPLACING",
            Self::Stopping => "STOPPING",
            Self::Starting => "STARTING",
            Self::Waiting { .. } => "WAITING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::StoppedByUser => "STOPPED_BY_USER",
            Self::Rejected => "REJECTED",
            Self::Removing => "REMOVING",
        }
    }
}
