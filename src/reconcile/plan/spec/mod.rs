//! Resolves a container of a task into what the runtime creates: every name, path, port and limit final.
//!
//! **Invariants.** A function of the rows, the host and the settings alone, so the same task gives the same
//! containers in every mode and after any restart (promise 7). A parameter that cannot take effect is an error with
//! a reason, never left out silently.
//!
//! Later rules win, as in the reference agent (`engine.md` 1.4): definition, host's rules, network override, the
//! agent's labels.

mod container;

mod label;

mod network;

mod environment;

mod mounts;

mod limits;

mod gpus;

mod log;

mod account;

mod secrets;

pub use container::{SpecInputs, container_spec, docker_name};
pub use limits::{cgroup_limits, enforced_cgroups};
pub use log::{degraded_log, log_role};
pub use mounts::volume_spec;
pub use secrets::with_secrets;

#[cfg(test)]
mod tests;
