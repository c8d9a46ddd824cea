//! Values of tasks, from the Parameter Store of Systems Manager and from Secrets Manager.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::call::{Call, Calls};
use super::endpoint::{SECRETS_MANAGER, SSM};
use super::wire::{Parameters, SecretText};
use crate::boundary::secrets::SecretSource;
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::credentials::CredentialsId;
use crate::domain::secret::Secret;
use crate::domain::secret_place::SecretPart;

/// The source.
#[derive(Clone, Debug)]
pub struct Secrets(Arc<Calls>);

impl Secrets {
    /// Asks through these calls.
    pub fn new(calls: Arc<Calls>) -> Self {
        Self(calls)
    }
}

#[async_trait]
impl SecretSource for Secrets {
    async fn parameters(
        &self,
        role: &CredentialsId,
        region: Option<&str>,
        names: &[String],
    ) -> Result<BTreeMap<String, Secret<String>>, BoundaryError> {
        let region = self.0.region(region).await;
        let body = json!({"Names": names, "WithDecryption": true});
        let call = Call {
            service: &SSM,
            operation: "GetParameters",
            region: &region,
            endpoint: self.0.config.ssm.as_deref(),
            role: Some(role),
            body: &body,
        };
        let answer: Parameters = self.0.call(&call).await?;
        let mut values = BTreeMap::new();
        for parameter in answer.parameters {
            // One that was asked for by its ARN is answered under both.
            let is = |name: &&String| {
                let both = [&parameter.name, &parameter.arn];
                both.into_iter().flatten().any(|one| one == *name)
            };
            let text: Secret<String> = parameter.value.unwrap_or_default().into();
            for name in names.iter().filter(is) {
                values.insert(name.clone(), text.clone());
            }
        }
        Ok(values)
    }

    async fn secret(
        &self,
        role: &CredentialsId,
        part: &SecretPart,
    ) -> Result<Secret<String>, BoundaryError> {
        const OPERATION: &str = "GetSecretValue";
        let mut body = Map::new();
        body.insert("SecretId".to_owned(), part.id.as_str().into());
        for (name, value) in [
            ("VersionStage", &part.version_stage),
            ("VersionId", &part.version_id),
        ] {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.as_str().into());
            }
        }
        let body = Value::Object(body);
        let region = self.0.region(part.region.as_deref()).await;
        let call = Call {
            service: &SECRETS_MANAGER,
            operation: OPERATION,
            region: &region,
            endpoint: self.0.config.secrets_manager.as_deref(),
            role: Some(role),
            body: &body,
        };
        let answer: SecretText = self.0.call(&call).await?;
        let text = answer.secret_string.ok_or_else(|| {
            let operation = format!("read the answer to {OPERATION}");
            BoundaryError::new(operation, ErrorKind::Invalid, "the secret has no text")
        })?;
        Ok(text.into())
    }
}
