//! What is sealed: one role's credentials.

use serde::{Deserialize, Serialize};

/// Credentials with the grant that they are for.
#[derive(Serialize)]
pub(super) struct Sealed<'a> {
    pub(super) id: &'a str,
    pub(super) owner: &'a str,
    pub(super) role: &'a str,
    pub(super) access_key_id: &'a str,
    pub(super) secret_access_key: &'a str,
    pub(super) session_token: &'a str,
    pub(super) expiration: &'a str,
    /// Milliseconds since 1970.
    pub(super) ends_at: i64,
}

impl Sealed<'_> {
    /// More bytes than the text has: an escaped character takes six, names and marks 160.
    pub(super) fn most_bytes(&self) -> usize {
        let texts = [
            self.id,
            self.owner,
            self.role,
            self.access_key_id,
            self.secret_access_key,
            self.session_token,
            self.expiration,
        ];
        let most = texts.iter().map(|text| text.len()).sum::<usize>();
        most.saturating_mul(6).saturating_add(256)
    }
}

/// The same, read back.
#[derive(Deserialize)]
pub(super) struct Opened {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) role: String,
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    pub(super) session_token: String,
    pub(super) expiration: String,
    pub(super) ends_at: i64,
}
