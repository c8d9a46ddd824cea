//! The directory of sealed files: one a role, replaced whole, for the owner only.
//!
//! Nothing is flushed to the disk: a file has to outlive the process, not the host.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::platform::{private_directory, private_file};

/// End of the name of a file that is not written to its end.
const UNFINISHED: &str = ".new";

/// Largest file that is read, in bytes: a session token may have some thousand.
const MAX_BYTES: u64 = 64 * 1024;

/// A change of the directory.
#[derive(Debug)]
pub(super) enum Change {
    /// The file of that name has this content.
    Write(String, Vec<u8>),
    /// There is no file of that name.
    Remove(String),
}

/// The directory; it need not be there.
#[derive(Clone, Debug)]
pub(super) struct Files(pub(super) PathBuf);

impl Files {
    /// Does it. Repeating it changes nothing.
    pub(super) fn apply(&self, change: &Change) -> io::Result<()> {
        match change {
            Change::Write(name, content) => self.write(name, content),
            Change::Remove(name) => self.remove(name),
        }
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        private_directory(&self.0)?;
        let unfinished = self.0.join(format!("{name}{UNFINISHED}"));
        let mut file = private_file(&unfinished)?;
        file.set_len(0)?;
        file.write_all(content)?;
        fs::rename(&unfinished, self.0.join(name))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        gone(&self.0.join(name))
    }

    /// The content of a file; `None` if it is not there or cannot be ours.
    pub(super) fn read(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.0.join(name);
        let length = fs::symlink_metadata(&path).ok()?.len();
        (length <= MAX_BYTES).then(|| fs::read(path).ok())?
    }

    /// Removes every file but these; gives how many were removed.
    pub(super) fn keep_only(&self, names: &BTreeSet<String>) -> usize {
        let Ok(entries) = fs::read_dir(&self.0) else {
            return 0;
        };
        let stale = entries.flatten().filter(|entry| {
            let name = entry.file_name();
            name.to_str().is_none_or(|name| !names.contains(name))
        });
        stale.filter(|entry| gone(&entry.path()).is_ok()).count()
    }
}

fn gone(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
