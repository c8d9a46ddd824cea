//! A task as ACS describes it, into the definition that standalone mode reads from a file. Pure.
//!
//! The task becomes a tree in the form of register-task-definition, which the one reader of definitions then reads:
//! so both modes have the same types, the same limits and the same words for what is wrong. What ACS says in Docker's
//! language (`dockerConfig`) is said in ECS' again first.
//!
//! **Invariant.** No task makes this fail but by an [`Unreadable`]; what is not understood is named, never lost in
//! silence.

mod read;

mod tree;

mod task;

mod container;

mod docker_config;

mod host_config;

mod volumes;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod parity;

pub use read::{PayloadTask, Trouble, Unreadable, read_task};
