//! Which images to remove, in which order, and why each of the others stays.
//!
//! ```text
//!           disk < high          ≥ high              ≥ emergency
//! idle / by age  ──────►  pressure (paced)  ──────►  emergency (not paced)      both until disk ≤ low
//! ```
//!
//! **Invariants.** No plan removes an image that a desired task needs, that a container uses, that somebody is making
//! ready, that is excluded or internal, or, unless untracked images are to be cleaned up, one that the agent did not
//! pull. The disk's state changes which of the others go, never this.

mod mode;

mod select;

pub use mode::{Mode, enough, looks, mode};
pub use select::{CleanupPlan, HostImages, KeepReason, Kept, Removal, not_in_the_future, select};

#[cfg(test)]
mod tests;
