//! What containers use, from the kernel's own files: cgroups for CPU, memory, disks and processes, `/proc` for the rest.
//!
//! ```text
//! Docker's id ──► directory of its cgroup (place) ──► figures (v1, v2)
//!                        └── a process in it ──► /proc/<pid>/net/dev (network)
//! ```
//!
//! **Invariant.** Docker is not asked: a container is found by its id alone, after a restart of the agent as well.

mod files;

mod place;

mod v1;

mod v2;

mod network;

mod host;

mod source;

pub(super) use place::{directory, find, in_tree};
pub use source::{UsageOptions, UsageOs};

#[cfg(test)]
mod tests;
