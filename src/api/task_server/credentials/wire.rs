//! Bodies of the credentials endpoints, field by field in the reference agent's order.

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
    // Written into a buffer that never grows, since growing would leave a copy behind.
    let texts = [
        body.role_arn,
        body.access_key_id,
        body.secret_access_key,
        body.token,
        body.expiration,
    ];
    // An escaped character takes six bytes at most; the names and marks take 94.
    let most = texts.iter().map(|text| text.len()).sum::<usize>();
    let mut buffer = Zeroizing::new(Vec::with_capacity(
        most.saturating_mul(6).saturating_add(128),
    ));
    if serde_json::to_writer(&mut *buffer, &body).is_err() {
        // A struct of texts can always be written; were it not, nothing is better than a part.
        buffer.clear();
    }
    let exact = Zeroizing::new(buffer.as_slice().to_vec());
    Bytes::from_owner(exact)
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
