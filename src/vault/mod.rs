//! Credentials that outlive the agent: sealed files, opened with a key that only the kernel keeps.
//!
//! **Invariants.** Neither a secret nor an id is written unsealed, not even for a moment. The key is on no disk: after
//! a restart of the host nothing can be opened, and what is there is removed. A file is good only under its own name.
//! What cannot be kept or opened is fetched anew; nothing fails for that.
//!
//! ADR 0008 says why the key is where it is.

mod wire;

mod seal;

mod files;

mod service;

pub use service::{VaultConfig, VaultHandle, VaultService, service};

#[cfg(test)]
mod tests;
