//! The event log of Windows: what an administrator looks at first.

pub use super::os::EventLog;

/// Name of the source, as ECS agents have it, in the log of applications.
pub const SOURCE: &str = "AmazonECSAgent";

/// Id of every event: the words say what it is.
pub const EVENT_ID: u32 = 999;

/// How the log marks an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// `Information`.
    Information,
    /// `Warning`.
    Warning,
    /// `Error`.
    Error,
}
