//! The record of requests for credentials: a file of its own in the reference agent's format.
//!
//! ```text
//! record() ─► bounded queue ─► lines, a batch at a time ─► file, set aside by its size
//!                 └─ full: dropped and counted, told with the next batch
//! ```
//!
//! **Invariants.** A request never waits for the file. A file that cannot be written is told once and tried again;
//! what could not be written meanwhile is counted as dropped. No line holds an id.

mod line;

mod service;

pub use line::Context;
pub use service::{AuditConfig, AuditHandle, AuditService, service};

#[cfg(test)]
mod tests;
