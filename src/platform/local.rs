//! Listening where only programs of this host can connect: a socket in the file system on Unix, a named pipe on
//! Windows. The rights of both say who may.

use std::io;
use std::path::PathBuf;

pub use super::os::{KeptLocal, LocalListener, LocalStream, MAY_CONNECT, connect_local};

/// Why an address on this host cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LocalBindError {
    /// Another process listens on it.
    #[error("another process answers on {}", .0.display())]
    InUse(PathBuf),
    /// Something else has the name.
    #[error("{} exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// No such address can be: it has no directory or no name.
    #[error("{} is not a path of a file", .0.display())]
    BadPath(PathBuf),
    /// A name that is not that of a pipe.
    #[error(r"{} is not the name of a pipe: these begin with \\.\pipe\", .0.display())]
    NotAPipe(PathBuf),
    /// What was handed over is nothing that listens.
    #[error("serve the socket that was handed over")]
    Handed(#[source] io::Error),
    /// A step failed.
    #[error("cannot {step} {}", .path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// An address for a test, of its own: below the directory, or a pipe with a name like it.
#[cfg(any(test, feature = "testing"))]
pub fn test_address(directory: &std::path::Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    if std::path::MAIN_SEPARATOR == '/' {
        return path;
    }
    let text = path.to_string_lossy().replace([':', '\\', '/'], "-");
    PathBuf::from(format!(r"\\.\pipe\{text}"))
}
