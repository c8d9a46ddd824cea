//! Bodies of the credentials endpoints, field by field in the reference agent's order.

use std::io;

use bytes::Bytes;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::domain::credentials::{Credentials, RoleArn};

/// A success. All members are always there, and no other: an SDK takes `Code` for an error.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    role_arn: &'a str,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    expiration: &'a str,
}

/// An error.
#[derive(Serialize)]
pub(super) struct ErrorBody {
    pub(super) code: &'static str,
    pub(super) message: String,
    #[serde(rename = "HTTPErrorCode")]
    pub(super) status: u16,
}

/// The body of a success. Its memory is overwritten when the last answer that uses it has gone.
pub fn encode(role: &RoleArn, credentials: &Credentials) -> Bytes {
    let body = Body {
        role_arn: role.as_str(),
        access_key_id: credentials.access_key_id.expose(),
        secret_access_key: credentials.secret_access_key.expose(),
        token: credentials.session_token.expose(),
        expiration: &credentials.expiration.text,
    };
    // Measured first: a buffer that grows leaves copies behind, and one that is too large stays so.
    let mut length = Length(0);
    let measured = serde_json::to_writer(&mut length, &body);
    let mut buffer = Zeroizing::new(Vec::with_capacity(length.0));
    if measured
        .and_then(|()| serde_json::to_writer(&mut *buffer, &body))
        .is_err()
    {
        // A struct of texts can always be written; were it not, nothing is better than a part.
        buffer.clear();
    }
    Bytes::from_owner(buffer)
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credentials::Expiration;
    use crate::domain::ids::UnixMillis;

    #[test]
    fn a_body_is_byte_for_byte_what_the_reference_agent_sends() {
        let role = RoleArn::parse("arn:aws:iam::123456789012:role/lab-task-role").unwrap();
        let credentials = Credentials {
            access_key_id: "LABROLEKEYA".to_owned().into(),
            secret_access_key: "lab-role-secret-A".to_owned().into(),
            session_token: "lab-role-token-A".to_owned().into(),
            expiration: Expiration {
                text: "2026-11-23T17:51:52Z".to_owned(),
                at: UnixMillis(0),
            },
        };
        let expected = r#"{"RoleArn":"arn:aws:iam::123456789012:role/lab-task-role","AccessKeyId":"LABROLEKEYA","SecretAccessKey":"lab-role-secret-A","Token":"lab-role-token-A","Expiration":"2026-11-23T17:51:52Z"}"#;
        assert_eq!(encode(&role, &credentials), expected);
    }
}
