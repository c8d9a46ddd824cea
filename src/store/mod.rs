//! The SQLite adapter: the only place that knows sqlx.
//!
//! One file, `berth.db` in the data directory, with one writing connection and a few reading ones. A commit of the
//! boundary is one transaction, flushed before it is answered. Opening always ends with a store that works, unless
//! the directory cannot be written: a file that is damaged is renamed, a task that cannot be read is moved into a
//! table for people, and both are named. The schema and its rules are in `docs/adr/0003-store-schema.md`.
//!
//! **Invariants.** Rows become values by `TryFrom` and values rows by `From`; nothing else knows the columns. What is
//! given back is what was written: each task carries checksums of its rows. Two agents never have the same file open:
//! the lock on the data directory, taken by the composition root, sees to that.

mod error;

mod fields;

mod codec;

mod checksum;

mod rows;

mod desired;

mod known;

mod draining;

mod images;

mod events;

mod instance;

mod quarantine;

mod load;

mod schema;

mod files;

mod integrity;

mod open;

mod checkpoint;

mod flush;

mod service;

#[cfg(test)]
mod tests;

pub use checkpoint::Checkpoints;
pub use flush::Flushes;
pub use open::{Opened, open};
pub use service::SqliteStore;
