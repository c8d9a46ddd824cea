//! What may be asked of the agent: one view of the engine, mounted on the admin socket and on the introspection
//! listener alike.
//!
//! **Invariants.** Everything here only reads. Answers come from memory, so they come while Docker or the disk hang;
//! only the past of the event stream is read from the store, with a deadline. No answer holds an environment value, a
//! command, a secret or an id that opens something.
//!
//! Not here: who may ask. That is each listener's own.

pub mod wire;

pub mod state;

mod error;

pub mod select;

mod routes;

pub mod task;

pub mod why;

pub mod events;

pub mod resources;

pub mod usage;

pub mod draining;

pub mod images;

pub mod settings;

pub mod files;

pub mod probes;

mod metrics;

mod health;

mod guard;

mod docs;

pub(in crate::api) mod strays;

pub mod superset;

pub use guard::Access;
pub(super) use routes::routes;
pub use state::{Figures, ObserveState, Surroundings};
