//! What plain Docker on this host makes of a definition: every field that it changes, ignores or refuses.
//!
//! **Invariant.** Nothing is dropped silently: a field that does not take effect as ECS documents it has a finding
//! that names it. Each rule is a function of its own with a table test; rules only read.
//!
//! Not here: whether the definition is well formed (`crate::definition`) and whether the host is busy
//! (`crate::reconcile::plan::admission`). `portMappings[].name` and `appProtocol` are labels for Service Connect and
//! change nothing on any host, so they have no rule.

mod finding;

mod eligible;

mod unsupported;

mod gpus;

mod secrets;

mod network;

mod limits;

mod logs;

mod security;

mod paths;

mod windows;

pub use finding::{Effect, FitFinding, FitPolicy, fit, refusal};

#[cfg(test)]
mod tests;
