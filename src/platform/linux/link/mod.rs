//! The task server's address on this host: a link of its own, asserted from what is seen.
//!
//! **Invariant.** Only the link [`plan::LINK`], and the address on loopback, are ever changed.

mod plan;

mod kernel;

#[cfg(test)]
mod tests;

pub use kernel::TaskLink;
