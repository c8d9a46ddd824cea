//! Where tokens of registries come from.

use async_trait::async_trait;

use super::error::BoundaryError;
use crate::domain::ids::UnixMillis;
use crate::domain::registry::{EcrAccess, RegistryLogin};

/// A token, as a login with the registry that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryToken {
    /// What the registry is shown.
    pub login: RegistryLogin,
    /// When it ends.
    pub expires_at: UnixMillis,
}

/// Makes tokens.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// A new token for the registry. The kind of an error says whether another try can help: `Denied`, `NotFound` and
    /// `Invalid` need somebody to change something.
    async fn token(&self, access: &EcrAccess) -> Result<RegistryToken, BoundaryError>;
}
