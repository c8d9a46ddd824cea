//! Two agents never share one data directory: the first holds a lock on a file in it for as long as it lives.
//!
//! The operating system gives the lock back when the process ends, however it ends. The holder's process id is in the
//! file for people; the lock is what counts.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// Name of the file in the data directory.
const LOCK_FILE: &str = "berth.lock";

/// Longest holder id that is read, in bytes: ten digits and a newline.
const MAX_HOLDER_BYTES: u64 = 16;

/// Held for as long as it lives.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

/// Why the data directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another agent has it.
    #[error("another agent uses {}{}", path.display(), holder.map(|pid| format!(": process {pid}")).unwrap_or_default())]
    Held {
        /// Lock file.
        path: PathBuf,
        /// Its process id, if it can be read.
        holder: Option<u32>,
    },
    /// The file cannot be opened or written.
    #[error("open the lock file {}", path.display())]
    Open {
        /// Lock file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The file system has no locks.
    #[error("lock {}", path.display())]
    Lock {
        /// Lock file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

impl DataDirLock {
    /// Takes the lock of an existing directory, without waiting.
    ///
    /// # Errors
    /// `Held` names the holder.
    pub fn acquire(data_dir: &Path) -> Result<Self, LockError> {
        let path = data_dir.join(LOCK_FILE);
        let mut file = open(&path).map_err(|source| LockError::Open {
            path: path.clone(),
            source,
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = holder(&mut file);
                return Err(LockError::Held { path, holder });
            }
            Err(TryLockError::Error(source)) => return Err(LockError::Lock { path, source }),
        }
        // The id is for people only: a disk without room for it must not keep the agent from starting.
        drop(sign(&mut file));
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(MAX_HOLDER_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_agent_is_told_who_has_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDirLock::acquire(dir.path()).unwrap();
        let refused = DataDirLock::acquire(dir.path()).unwrap_err();
        let me = std::process::id();
        assert!(matches!(refused, LockError::Held { holder: Some(pid), .. } if pid == me));
        assert!(refused.to_string().ends_with(&format!("process {me}")));
        drop(first);
        DataDirLock::acquire(dir.path()).unwrap();
    }

    #[test]
    fn a_missing_directory_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let error = DataDirLock::acquire(&dir.path().join("none")).unwrap_err();
        assert!(matches!(error, LockError::Open { .. }));
        assert!(error.to_string().ends_with("berth.lock"));
    }
}
