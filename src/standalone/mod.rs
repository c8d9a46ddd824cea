//! Desired state without a control plane: a directory of task definition files, one running task a file.
//!
//! ```text
//! every second:  look (metadata, read what changed) -> plan (pure) -> write records -> stop / remove / put
//! ```
//!
//! **Invariants.** A file that cannot be read, parsed or fitted to this host changes nothing: its last good version
//! keeps running. A directory that cannot be listed is no observation at all. Two tasks of one file never live at the
//! same time. This folder knows neither Docker nor SQLite; it speaks to the engine through [`desired`], and asks
//! nobody else but for the timeline of a task that is gone.

pub mod file_task;

pub mod plan;

pub mod status;

mod vanished;

mod wire;

mod records;

mod scan;

pub mod desired;

pub mod watch;
