//! Who holds the client's end of a connection: from its addresses to a socket, a process, a cgroup, a container.
//!
//! ```text
//! addresses ──sock_diag──► socket's inode ──/proc/<pid>/fd──► process ──/proc/<pid>/cgroup──► container
//! container ──its cgroup──► process ──/proc/<pid>/net──► addresses
//! ```
//!
//! **Invariant.** Nothing is kept that could be told of a later connection but which processes were found last, and
//! those are looked at anew.

mod container;

mod addresses;

mod diag;

mod processes;

mod source;

mod walk;

#[cfg(test)]
mod tests;

pub use source::PeersOs;
