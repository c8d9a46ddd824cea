//! Which tasks may have the host's CPU, memory, ports and GPUs now: who waits, for what, and who can never run here.
//!
//! **Invariants.** What is granted never exceeds the host. No task gets a resource in front of an earlier one that is
//! short of it; a task that needs nothing of that passes (the reference agent lets the first waiting task hold up
//! all others). A task that waits for CPU or memory cannot be starved: what else it needs is set aside for it.
//!
//! Not here: reading the demand off a definition (`crate::domain::demand`).

mod decide;

mod ports;

pub use decide::{Verdict, decide, demand, holds, unless_draining, waits};
pub use ports::choose_ports;

#[cfg(test)]
mod tests;
