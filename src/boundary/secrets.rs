//! Values that tasks get from outside their definitions: where they come from, and who has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;

use super::error::BoundaryError;
use crate::domain::credentials::CredentialsId;
use crate::domain::ids::{TaskArn, TaskId};
use crate::domain::secret::Secret;
use crate::domain::secret_place::SecretPart;

/// Most parameters of one question.
pub const MAX_PARAMETERS: usize = 10;

/// Gets values, as a role.
#[async_trait]
pub trait SecretSource: Send + Sync {
    /// The values of these parameters, decrypted, by the names that were given; those that there are not are left out.
    /// At most [`MAX_PARAMETERS`]. `region`: `None` = the one that programs of this host use.
    async fn parameters(
        &self,
        role: &CredentialsId,
        region: Option<&str>,
        names: &[String],
    ) -> Result<BTreeMap<String, Secret<String>>, BoundaryError>;

    /// The text of the secret; its member is not looked for.
    async fn secret(
        &self,
        role: &CredentialsId,
        part: &SecretPart,
    ) -> Result<Secret<String>, BoundaryError>;
}

/// What a container needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretsWish {
    /// Its task.
    pub task: TaskArn,
    /// As whom they are got.
    pub role: CredentialsId,
    /// `valueFrom` of each.
    pub places: BTreeSet<String>,
}

impl SecretsWish {
    /// Region of the task, for names that do not say one; `None` = it is this host's own task.
    pub fn region(&self) -> Option<&str> {
        self.task.region()
    }
}

/// Values by `valueFrom`. `Debug` does not show them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretValues(pub BTreeMap<String, Secret<String>>);

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Keeps values of tasks in memory and nowhere else.
#[async_trait]
pub trait TaskSecrets: Send + Sync {
    /// All of them are held. Cancel-safe: what came is kept.
    async fn fetch(&self, wish: &SecretsWish) -> Result<(), BoundaryError>;

    /// Those that are held of the task; never waits.
    fn held(&self, task: &TaskId) -> SecretValues;

    /// Nothing of the task is held any more.
    fn forget(&self, task: &TaskId);
}
