//! The admin API: desired state of tasks on this host, and everything one can ask about them.
//!
//! **Invariants.** A change is answered when it is durable. Reads are those of `observe/`; only output is fetched from
//! Docker, with a deadline. No answer holds an environment value, but for the plan of a definition that the caller
//! sends itself.
//!
//! Not here: who may call. The socket's file mode decides that.

pub mod wire;

pub mod state;

mod named;

mod error;

mod router;

mod starting;

mod openapi;

pub mod tasks;

pub mod logs;

mod plan;

mod draining;

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;

pub use openapi::{openapi, openapi_text};
pub use router::admin_router;
pub use starting::{Switch, starting_router};
pub use state::{AdminState, MAX_STREAMS, PlanOptions, PlanReport, PlanSource, PlanStep};
