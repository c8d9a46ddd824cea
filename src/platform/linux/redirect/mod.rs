//! The classic packet path (`http-endpoints.md` 7.1): rules of iptables as the reference agent's init program sets them.
//!
//! **Invariant.** Only the rules in [`rules`] are added and removed, one by one: chains and everybody else's rules stay
//! as they are.

mod rules;

mod iptables;

#[cfg(test)]
mod tests;

pub use iptables::RedirectOs;
