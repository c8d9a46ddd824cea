//! What somebody else has opened for this process to use.

use std::ffi::OsString;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use super::local::KeptLocal;

/// What a descriptor is that was handed over. Sockets do not block.
#[derive(Debug)]
pub enum Handed {
    /// A socket that listens.
    Tcp(TcpListener, SocketAddr),
    /// One that listens at a path, which is empty if it has no name.
    Local(KeptLocal, PathBuf),
    /// A pipe.
    Pipe(File),
    /// Something else, closed by now.
    Other,
}

/// A socket that is kept for a child, whoever that is now.
#[derive(Debug)]
pub struct KeptSocket {
    /// Name of the listener that serves it.
    pub name: &'static str,
    /// The socket.
    pub socket: Listening,
}

/// A socket that listens.
#[derive(Debug)]
pub enum Listening {
    /// At an address.
    Tcp(TcpListener),
    /// At a path.
    Local(KeptLocal),
}

/// How a child is started.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// Its arguments.
    pub args: &'a [OsString],
    /// Sockets that it is handed.
    pub sockets: &'a [KeptSocket],
    /// Name of the pipe that it is handed after them, to say how far it is.
    pub pipe: &'a str,
    /// Variable that names its parent.
    pub parent_variable: &'a str,
}

/// What is heard of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildNews {
    /// It said so.
    Said(String),
    /// It has ended.
    Ended {
        /// With exit code 0.
        well: bool,
        /// How, in words.
        how: String,
    },
}

/// What a parent is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A new version of the child.
    Upgrade,
    /// The end.
    End,
}
