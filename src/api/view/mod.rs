//! What of a snapshot the endpoints of ECS agents show: one view that the wire types of every version are made from.
//!
//! **Invariant.** Making a view is pure. It is made once for a published snapshot, and what was encoded is kept with
//! it, so that a request costs a look-up.

pub mod seen;

pub mod views;

#[cfg(test)]
pub(crate) mod sample;

pub use seen::{SeenContainer, SeenTask};
pub use views::{Entry, Indexed, Views};
