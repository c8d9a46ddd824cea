//! Leads what containers ask at port 80 to the port at which the agent listens, with a table of nftables, asserted from
//! what is seen.
//!
//! **Invariants.** Only the table `ip berth` is ever changed. It rewrites nothing but the destination port of what is
//! meant for the agent's own address: who asks is seen as before.

mod rules;

mod nft;

#[cfg(test)]
mod tests;

pub use nft::LeadOs;
