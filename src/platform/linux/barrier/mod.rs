//! Keeps containers from the instance metadata service with a table of nftables, asserted from what is seen.
//!
//! **Invariant.** Only the table `inet berth` is ever changed. It drops nothing but packets for the two addresses, and a
//! packet that it lets pass goes on to everybody else's rules. Whom it lets through it forgets within a minute unless it
//! is looked at.

mod rules;

mod nft;

#[cfg(test)]
mod tests;

pub use nft::BarrierOs;
