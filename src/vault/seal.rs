//! The seal: AES-256-GCM with a nonce drawn for each, bound to the name under which it is kept.
//!
//! A random nonce of 96 bits is good for 2^32 seals of one key; a host with 1,000 roles makes 2^24 a year.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use super::wire::{Opened, Sealed};
use crate::domain::credentials::{Credentials, CredentialsId, Expiration, RoleGrant};
use crate::domain::ids::UnixMillis;
use crate::domain::secret::Secret;
use crate::platform::KEY_BYTES;

/// First bytes of a file, and part of what is authenticated: another format has another one.
const MAGIC: &[u8] = b"berth sealed 1\n";

/// A key that has been taken apart already.
pub(super) struct Sealer {
    key: LessSafeKey,
    random: SystemRandom,
}

/// Bytes that nobody can foresee; `None` if the system has none.
pub(super) fn fresh_key() -> Option<Secret<[u8; KEY_BYTES]>> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    SystemRandom::new().fill(&mut *bytes).ok()?;
    Some(Secret::new(*bytes))
}

/// The name under which something is kept for an id, of 128 bits of its hash. It does not give the id away.
pub(super) fn name_of(id: &CredentialsId) -> String {
    let hash = digest(&SHA256, id.expose().as_bytes());
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash.as_ref()) {
        *byte = *hashed;
    }
    format!("{:032x}", u128::from_be_bytes(bytes))
}

impl Sealer {
    /// `None` if that is no key.
    pub(super) fn new(key: &Secret<[u8; KEY_BYTES]>) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key.expose()).ok()?;
        Some(Self {
            key: LessSafeKey::new(key),
            random: SystemRandom::new(),
        })
    }

    /// The content of the file for that grant; `None` if the system has no chance to give.
    pub(super) fn seal(&self, grant: &RoleGrant, credentials: &Credentials) -> Option<Vec<u8>> {
        let sealed = Sealed {
            id: grant.id.expose(),
            owner: grant.owner.as_str(),
            role: grant.role.as_str(),
            access_key_id: credentials.access_key_id.expose(),
            secret_access_key: credentials.secret_access_key.expose(),
            session_token: credentials.session_token.expose(),
            expiration: &credentials.expiration.text,
            ends_at: credentials.expiration.at.0,
        };
        // Written into a buffer that never grows, since growing would leave a copy behind, and sealed in its place.
        let mut text = Zeroizing::new(Vec::with_capacity(sealed.most_bytes()));
        serde_json::to_writer(&mut *text, &sealed).ok()?;
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let name = name_of(&grant.id);
        let bound = Aad::from([MAGIC, name.as_bytes()].concat());
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut *text)
            .ok()?;
        Some([MAGIC, &nonce, &text].concat())
    }

    /// What was sealed for that grant; `None` if it was sealed with another key, for another grant, or altered since.
    pub(super) fn open(&self, grant: &RoleGrant, content: Vec<u8>) -> Option<Credentials> {
        let mut content = Zeroizing::new(content);
        let (magic, body) = content.split_at_mut_checked(MAGIC.len())?;
        if *magic != *MAGIC {
            return None;
        }
        let (nonce, body) = body.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let name = name_of(&grant.id);
        let bound = Aad::from([MAGIC, name.as_bytes()].concat());
        let text = self.key.open_in_place(nonce, bound, body).ok()?;
        let opened: Opened = serde_json::from_slice(text).ok()?;
        let ours = opened.id == grant.id.expose()
            && opened.owner == grant.owner.as_str()
            && opened.role == grant.role.as_str();
        let credentials = Credentials {
            access_key_id: opened.access_key_id.into(),
            secret_access_key: opened.secret_access_key.into(),
            session_token: opened.session_token.into(),
            expiration: Expiration {
                text: opened.expiration,
                at: UnixMillis(opened.ends_at),
            },
        };
        ours.then_some(credentials)
    }
}
