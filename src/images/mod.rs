//! Images: when to pull, how many pulls at once, what to clean up.
//!
//! ```text
//! ensure(image) -> one flight per reference -> look / login / ask the registry / wait for a slot / pull -> ReadyImage
//! sweep()       -> list images, containers, disk -> plan::cleanup -> remove one by one          -> SweepReport
//! ```
//!
//! **Invariants.** Two callers that want one reference with the same rights share one pull; a pull that nobody waits for is cancelled. An
//! image that a desired task needs or a container uses is never removed. Nothing here writes to the store: what
//! should be remembered is in [`ReadyImage`] and [`SweepReport`], and the engine commits it. There are no retries
//! here either: an [`ImageError`] says whether another try could help, the engine's queue decides when.

pub mod config;

pub mod plan;

pub mod slots;

mod context;

mod ensure;

mod disk;

mod inventory;

mod logins;

mod pull;

pub mod service;

pub mod sweep;

pub mod pause;

pub use crate::boundary::images::{ImageError, PullState, PullView, ReadyImage};
pub use config::{CleanupConfig, ImagesConfig};
pub use plan::HostPlatform;
pub use service::{ImagesHandle, ImagesService, Outside, ReadOwnFiles, service};
pub use sweep::SweepReport;

#[cfg(test)]
mod fake;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod login_tests;
