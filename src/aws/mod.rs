//! Clients of AWS: credentials of roles from STS, or fixed ones from a file for work without AWS, and the calls that an
//! agent makes for a task.
//!
//! The SDK itself reads the `AWS_*` variables and the profile files that name the host's own credentials, as every
//! AWS program does; everything else comes from the settings.
//!
//! **Invariants.** The instance metadata service is asked only where a setting says so, and never by way of a profile.
//! No answer of AWS is passed on as text beyond its error code, and the message of codes that are known to hold no
//! secret.

mod ways;

mod session;

mod chain;

mod call;

mod ecr;

mod endpoint;

mod secrets;

mod error;

mod sts;

mod dev;

mod host;

mod instance;

mod wire;

pub use call::{CallConfig, Calls};
pub use dev::DevFile;
pub use ecr::Ecr;
pub use host::{HostCredentials, HostSettings, host_credentials};
pub use instance::Imds;
pub use secrets::Secrets;
pub use sts::{InstanceMetadata, Sts, StsConfig};
pub use ways::{Connect, Ways};

#[cfg(test)]
mod tests;

#[cfg(test)]
mod call_tests;
