//! Tokens of private registries, from ECR.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use zeroize::Zeroizing;

use super::call::{Call, Calls};
use super::endpoint::ECR;
use super::wire::{AuthorizationData, AuthorizationTokens};
use crate::boundary::registry::{RegistryToken, TokenSource};
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::ids::UnixMillis;
use crate::domain::registry::{EcrAccess, RegistryLogin};

const OPERATION: &str = "GetAuthorizationToken";

/// The source.
#[derive(Clone, Debug)]
pub struct Ecr(Arc<Calls>);

impl Ecr {
    /// Asks through these calls.
    pub fn new(calls: Arc<Calls>) -> Self {
        Self(calls)
    }
}

#[async_trait]
impl TokenSource for Ecr {
    async fn token(&self, access: &EcrAccess) -> Result<RegistryToken, BoundaryError> {
        let body = if access.registry_id.is_empty() {
            json!({})
        } else {
            json!({"registryIds": [access.registry_id]})
        };
        let endpoint = access.endpoint.as_ref().or(self.0.config.ecr.as_ref());
        let call = Call {
            service: &ECR,
            operation: OPERATION,
            region: &access.region,
            endpoint: endpoint.map(String::as_str),
            role: access.role.as_ref().map(|role| &role.id),
            body: &body,
        };
        let answer: AuthorizationTokens = self.0.call(&call).await?;
        // One registry was asked about.
        let mut data = answer.authorization_data.into_iter();
        let token = data.next().filter(|_| data.next().is_none());
        token.and_then(read).ok_or_else(|| {
            let operation = format!("read the answer to {OPERATION}");
            let words = "AuthorizationData is malformed";
            BoundaryError::new(operation, ErrorKind::Transient, words)
        })
    }
}

/// `None` = it is no login.
fn read(data: AuthorizationData) -> Option<RegistryToken> {
    let encoded = Zeroizing::new(data.authorization_token?);
    let decoded = Zeroizing::new(STANDARD.decode(encoded.as_bytes()).ok()?);
    let (username, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let proxy = data.proxy_endpoint?;
    let server = proxy.split_once("://").map_or(&*proxy, |(_, rest)| rest);
    let server = server.trim_end_matches('/').to_owned();
    let seconds = data.expires_at.filter(|at| at.is_finite())?;
    Some(RegistryToken {
        login: RegistryLogin {
            server,
            username: username.to_owned(),
            password: password.to_owned().into(),
        },
        expires_at: millis(seconds),
    })
}

/// Seconds with a fraction, as the protocol has instants.
#[expect(
    clippy::cast_possible_truncation,
    clippy::as_conversions,
    reason = "the conversion saturates, and no instant is near its ends"
)]
fn millis(seconds: f64) -> UnixMillis {
    UnixMillis((seconds * 1000.0) as i64)
}
