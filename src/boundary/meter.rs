//! What the engine tells of its own work, for whoever counts.

use std::time::Duration;

/// Counts the engine's work. Must not wait.
pub trait Meter: Send + Sync {
    /// The engine has looked at `keys` tasks and committed what followed from it.
    fn decided(&self, round: Round);

    /// A new task is durable, so long after its arrival.
    fn received(&self, after: Duration);

    /// ECS has taken that a task runs or is past that, so long after its arrival.
    fn reported(&self, after: Duration);
}

/// One round of the engine's loop that looked at tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Tasks looked at.
    pub keys: usize,
    /// How long the one that was due first had been due.
    pub lag: Duration,
    /// From the first look to the end of the commit.
    pub took: Duration,
    /// Tasks that are due or will be.
    pub queued: usize,
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMeter;

impl Meter for NoMeter {
    fn decided(&self, _: Round) {}

    fn received(&self, _: Duration) {}

    fn reported(&self, _: Duration) {}
}
