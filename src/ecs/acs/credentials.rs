//! Credentials that ACS has sent, as values.

use super::wire::{IamRoleCredentialsAckRequest, RoleCredentials};
use crate::domain::credentials::{Credentials, CredentialsId, Expiration, RoleKind};
use crate::domain::ids::{TaskArn, UnixMillis};

/// Credentials and what ACS calls them.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// Id under which containers ask for them.
    pub id: CredentialsId,
    /// The role, as text: the definition of the task names it.
    pub role_arn: Option<String>,
    /// Themselves.
    pub credentials: Credentials,
}

/// Credentials for a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The task.
    pub task: TaskArn,
    /// Which of its roles.
    pub kind: RoleKind,
    /// The credentials.
    pub given: Given,
}

impl Given {
    /// From the wire.
    ///
    /// # Errors
    /// What is wrong with the id, without repeating it.
    pub fn read(wire: RoleCredentials) -> Result<Self, String> {
        let id = wire.credentials_id.unwrap_or_default();
        let id =
            CredentialsId::parse(&id).map_err(|_| "credentialsId is empty or no id".to_owned())?;
        let text = wire.expiration.unwrap_or_default();
        Ok(Self {
            id,
            role_arn: wire.role_arn.filter(|arn| !arn.is_empty()),
            credentials: Credentials {
                access_key_id: wire.access_key_id.unwrap_or_default().into(),
                secret_access_key: wire.secret_access_key.unwrap_or_default().into(),
                session_token: wire.session_token.unwrap_or_default().into(),
                expiration: Expiration {
                    at: end(&text),
                    text,
                },
            },
        })
    }

    /// The answer to the message that brought them.
    pub fn ack(&self, message_id: &str) -> IamRoleCredentialsAckRequest {
        let text = &self.credentials.expiration.text;
        IamRoleCredentialsAckRequest {
            message_id: message_id.to_owned(),
            expiration: (!text.is_empty()).then(|| text.clone()),
            credentials_id: self.id.expose().to_owned(),
        }
    }
}

/// What the text means. It is the control plane's and may be anything: what cannot be read does not end.
fn end(text: &str) -> UnixMillis {
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    parsed.map_or(UnixMillis(i64::MAX), |at| UnixMillis(at.as_millisecond()))
}

/// `TaskApplication` or `TaskExecution`.
pub(super) fn role_kind(text: &str) -> Option<RoleKind> {
    match text {
        "TaskApplication" => Some(RoleKind::Task),
        "TaskExecution" => Some(RoleKind::Execution),
        _ => None,
    }
}
