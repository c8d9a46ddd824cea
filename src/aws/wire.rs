//! The file of fixed credentials.

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
