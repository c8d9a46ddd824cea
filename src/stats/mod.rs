//! What tasks use: readings every few seconds, what follows from them, and the last hour of each task.
//!
//! ```text
//! every few seconds: tracked containers ──► UsageSource (one blocking thread) ──► aggregate::Book ──► UsageSnapshot
//!                                                                                     └──► History, every 10 s
//! ```
//!
//! **Invariants.** The container engine is not asked. One round of readings at a time: a kernel that answers slowly
//! makes readings rarer, not more. Nothing here is durable: after a restart of the agent totals begin with what the
//! kernel has counted since each container's start, and the history begins empty.

pub mod aggregate;

pub mod snapshot;

pub mod service;

mod docker;

mod wire;

pub use aggregate::{History, Point, Rates, Totals};
pub use docker::{NetworkRate, docker_stats};
pub use service::{Outside, StatsConfig, StatsHandle, StatsService, service};
pub use snapshot::{
    ContainerUsage, HostUsage, TaskUsage, Tracked, TrackedContainer, UsageSnapshot,
};

#[cfg(test)]
mod tests;
