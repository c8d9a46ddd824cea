//! The record of requests for credentials: a file of its own in the reference agent's format.
//!
//! ```text
//! record() ─► the first of its kind? ─► bounded queue ─► lines, a batch at a time ─► file, set aside by its size
//!                 └─ no: counted, a line      └─ full: dropped and counted, told with the next batch
//!                    at the end of the span
//! ```
//!
//! **Invariants.** A request never waits for the file. A file that cannot be written is told once and tried again;
//! what could not be written meanwhile is counted as dropped. No line holds an id.

mod line;

mod repeats;

mod service;

pub use service::{AuditConfig, AuditHandle, AuditService, Instance, service};

#[cfg(test)]
mod tests;
