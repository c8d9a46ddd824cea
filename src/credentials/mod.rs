//! Credentials of roles, by the id under which containers ask for them.
//!
//! ```text
//! wanted roles ─► plan::Roles (pure) ─► fetch from the source ─► slot of the id ─► answer, from memory
//!      pushes ──►      │  ▲                     │
//!                      │  └──── outcome ────────┘
//!                      └─► when to refresh, when to try again, what the engine waits for
//! ```
//!
//! **Invariants.** A request is answered from memory and waits for nobody but a fetch under way, and that not longer
//! than an SDK does. What is good is served until it really expires, whatever the source says meanwhile. One fetch of
//! an id at a time. Nothing here is written to a log, neither a secret nor an id; what is kept beyond the end of the process is
//! the keeper's to keep safe.

pub mod config;

pub mod plan;

mod slot;

pub mod handle;

pub mod service;

pub use config::{BindingMode, CredentialsConfig, Encode};
pub use handle::{Asked, CredentialsHandle, Outcome};
pub use service::{CredentialsService, Outside, service};

#[cfg(test)]
mod tests;
