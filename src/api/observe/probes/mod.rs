//! `/livez`, `/readyz`, `/healthz`: whether the agent lives, what it waits for, and how old its knowledge is.

pub mod wire;

mod check;

mod livez;

mod readyz;

mod healthz;

#[cfg(test)]
mod tests;

pub use check::{Check, CheckStatus};
pub use readyz::is_ready;

pub(super) use healthz::{__path_healthz, healthz};
pub(super) use livez::{__path_livez, livez};
pub(super) use readyz::{__path_readyz, readyz};
