//! Task definition files: text to `domain` values and back, with every complaint naming its field.
//!
//! Text goes through `tree` (JSON with duplicate keys noticed), `placeholders` (found, and filled from variables)
//! and `reader` (typed access that collects findings); the section files say what each part of a task definition
//! looks like, `validate` what must hold between the parts. All findings are gathered; nothing stops at the first.
//!
//! **Invariants.** No input makes this folder panic, recurse without bound or take more than linear time, and what
//! [`canonical`] writes [`from_canonical`] reads back as the same value.
//!
//! Not here: what a host can do with a definition (`crate::domain`), and reading files.

mod finding;

mod parse;

mod tree;

mod placeholders;

mod reader;

mod suggest;

mod sizes;

mod paths;

mod task;

mod parts;

mod container;

mod context;

mod environment;

mod ports;

mod volumes;

mod linux;

mod lifecycle;

mod health;

mod logs;

mod validate;

mod canonical;

mod overrides;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod properties;

pub use canonical::canonical;
pub use finding::{Finding, Rejected, Severity};
pub use overrides::{ContainerOverride, Overrides, apply_overrides};
pub use parse::{MAX_CONTAINERS, MAX_FILE_BYTES, ParseOptions, Parsed, from_canonical, parse};
