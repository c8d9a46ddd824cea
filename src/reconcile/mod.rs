//! The engine: desired against observed, one task at a time.
//!
//! ```text
//! wake(key)            event, relist, timer, handle: only wakes, carries no data
//!   -> queue           dedup, earliest deadline
//!   -> worker          observe, apply, plan: pure; one commit for all keys that are due; then act
//!   -> executor        one action against the boundary, its outcome comes back as a fact
//! ```
//!
//! **Invariants.** Only the worker writes known state; only the handle's commands write desired state; both through
//! one commit, before any effect that rests on it. No effect is waited for inside the loop.

pub mod handle;

#[cfg(any(test, feature = "testing"))]
pub mod detached;

pub mod snapshot;

pub mod timeline;

pub mod settings;

pub mod worker;

mod flights;

mod shutdown;

mod commands;

mod commit;

pub mod desired;

mod news;

mod adopt;

mod doubt;

mod sweep;

mod entry;

mod entries;

mod publish;

pub mod roles;

pub mod queue;

pub mod observe;

pub mod outcome;

pub mod draft;

mod clock_set;

pub mod restart;

pub mod plan;

pub mod action;

pub mod execute;

pub mod relist;

pub mod backoff;

#[cfg(test)]
mod notation;

#[cfg(test)]
mod observe_tests;

#[cfg(test)]
mod outcome_tests;

pub use handle::ReconcilerHandle;
pub use worker::{Dependencies, Reconciler};
