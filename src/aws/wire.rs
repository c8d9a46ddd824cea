//! The file of fixed credentials, and the answers of services that are called for tasks.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The file: credentials for every role, or for roles by ARN, or both.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DevCredentials {
    #[serde(default)]
    access_key_id: Option<String>,
    #[serde(default)]
    secret_access_key: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    expiration: Option<String>,
    #[serde(default)]
    pub(super) roles: BTreeMap<String, DevRole>,
}

/// Credentials.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DevRole {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    #[serde(default)]
    pub(super) token: String,
    #[serde(default)]
    pub(super) expiration: Option<String>,
}

impl DevCredentials {
    /// What is given to roles that are not named.
    pub(super) fn others(&self) -> Option<DevRole> {
        Some(DevRole {
            access_key_id: self.access_key_id.clone()?,
            secret_access_key: self.secret_access_key.clone()?,
            token: self.token.clone().unwrap_or_default(),
            expiration: self.expiration.clone(),
        })
    }
}

/// The answer to `GetAuthorizationToken`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthorizationTokens {
    #[serde(default)]
    pub(super) authorization_data: Vec<AuthorizationData>,
}

/// One token of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthorizationData {
    pub(super) authorization_token: Option<String>,
    pub(super) expires_at: Option<f64>,
    pub(super) proxy_endpoint: Option<String>,
}

/// What a service says instead of an answer.
#[derive(Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(rename = "__type")]
    pub(super) code: Option<String>,
    #[serde(alias = "Message")]
    pub(super) message: Option<String>,
}

/// The answer to `GetParameters`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Parameters {
    #[serde(default)]
    pub(super) parameters: Vec<Parameter>,
}

/// One parameter.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Parameter {
    pub(super) name: Option<String>,
    #[serde(rename = "ARN")]
    pub(super) arn: Option<String>,
    pub(super) value: Option<String>,
}

/// The answer to `GetSecretValue`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SecretText {
    pub(super) secret_string: Option<String>,
}
