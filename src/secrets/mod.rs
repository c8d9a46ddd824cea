//! Values that tasks get from outside their definitions: got when a container needs them, in memory while the task is
//! there, and nowhere else.
//!
//! **Invariants.** No value is in a row, a log line or an answer; an error names places and codes. Nothing is tried
//! twice here: the engine's queue decides about that. `plan` decides what is asked and what an answer means.

pub mod plan;

pub mod service;

pub use service::HeldSecrets;

#[cfg(test)]
mod tests;
