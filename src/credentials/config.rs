//! Settings of the credentials service, validated by whoever builds them.

use std::time::Duration;

use bytes::Bytes;

pub use super::plan::binding::BindingMode;
use crate::domain::credentials::{Credentials, RoleArn};

/// Turns credentials into the body of an answer.
pub type Encode = fn(&RoleArn, &Credentials) -> Bytes;

/// Settings of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialsConfig {
    /// Whether an id is good for its task only (`BERTH_CREDENTIALS_BINDING`).
    pub binding: BindingMode,
    /// Longest time that a request waits for a fetch under way. The most impatient SDK gives up after 2 s (botocore)
    /// or 1 s and tries again (JavaScript, Java); 1.4 s leaves the first a margin and costs the others one try.
    pub patience: Duration,
}

impl Default for CredentialsConfig {
    fn default() -> Self {
        Self {
            binding: BindingMode::default(),
            patience: Duration::from_millis(1400),
        }
    }
}
