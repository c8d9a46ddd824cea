//! The parent of the agent: it keeps the listening sockets while agents come and go, and the child's side of that.
//!
//! ```text
//! sockets ──kept──► parent ──hands them to──► agent ──ended by itself──► the same version again, after a wait
//!                     │                         ▲
//!                     └─ SIGHUP: told to end, then the version that lies at the path ──not well in time──► the old one
//! ```
//!
//! **Invariants.** A socket is closed only when the parent ends. At most one agent runs at a time. What is decided is
//! in `plan/`; the parent only carries it out.

pub mod plan;

pub mod parent;
