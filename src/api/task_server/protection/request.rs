//! What is read: the body of a PUT, and credentials from the body that containers get.

use serde_json::Value;

use crate::domain::credentials::{Credentials, Expiration};
use crate::domain::ids::UnixMillis;

/// The body of a PUT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// `None` = it does not say.
    pub(super) enabled: Option<bool>,
    /// Minutes.
    pub(super) minutes: Option<i32>,
}

/// The first JSON value of the text, its names in any case; `None` = it is no such body.
pub(super) fn read(body: &[u8]) -> Option<Asked> {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let Value::Object(members) = values.next()?.ok()? else {
        return None;
    };
    let mut asked = Asked::default();
    for (name, value) in members {
        match (name.to_ascii_lowercase().as_str(), value) {
            ("protectionenabled", Value::Bool(enabled)) => asked.enabled = Some(enabled),
            ("expiresinminutes", Value::Number(minutes)) => {
                asked.minutes = Some(i32::try_from(minutes.as_i64()?).ok()?);
            }
            // As if it were not there.
            ("protectionenabled" | "expiresinminutes", Value::Null) => {}
            _ => return None,
        }
    }
    Some(asked)
}

/// Credentials from the body of `/v2/credentials`.
pub(super) fn credentials(body: &[u8]) -> Option<Credentials> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| Some(body.get(name)?.as_str()?.to_owned());
    Some(Credentials {
        access_key_id: text("AccessKeyId")?.into(),
        secret_access_key: text("SecretAccessKey")?.into(),
        session_token: text("Token")?.into(),
        // Used at once.
        expiration: Expiration {
            text: text("Expiration").unwrap_or_default(),
            at: UnixMillis(i64::MAX),
        },
    })
}
