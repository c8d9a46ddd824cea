//! Linux: cgroups, the kernel's tables under `/proc`, file system space.

mod host;

mod capacity;

mod io_kind;

mod disk;

mod sockets;

mod cgroup;

pub use capacity::{capacity, dynamic_ports, is_root};
pub use host::{HostOptions, HostOs};

pub(super) use super::unix_signals::Signals;

#[cfg(test)]
mod tests;
