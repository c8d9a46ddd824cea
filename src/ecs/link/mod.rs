//! When a session with the control plane is opened, closed and opened again: pure, the same for ACS and TCS.

mod backoff;

mod chance;

mod machine;

#[cfg(test)]
mod tests;

pub use backoff::{Backoff, BackoffSettings};
pub use chance::Chance;
pub use machine::{Action, Event, How, Link, LinkSettings, OnSilence};
