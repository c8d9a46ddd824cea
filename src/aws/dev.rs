//! Fixed credentials from a file, for containers that talk to an emulator of AWS.
//!
//! ```json
//! {
//!   "AccessKeyId": "test", "SecretAccessKey": "test", "Token": "test", "Expiration": "2030-01-01T00:00:00Z",
//!   "Roles": { "arn:aws:iam::000000000000:role/web": { "AccessKeyId": "web", "SecretAccessKey": "web" } }
//! }
//! ```
//!
//! A role that `Roles` does not name gets what stands outside it. `Token` may be left out, then it is empty; without
//! `Expiration` each reading is good for an hour, since SDKs insist on an end. The file is read again when it changes.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Interval, MissedTickBehavior};

use super::wire::{DevCredentials, DevRole};
use crate::boundary::credentials::CredentialsSource;
use crate::boundary::{BoundaryError, Clock, ErrorKind};
use crate::domain::credentials::{Credentials, Expiration, RoleGrant};
use crate::domain::ids::UnixMillis;

/// Largest file that is read, in bytes: some hundred roles.
const MAX_BYTES: u64 = 256 * 1024;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How long credentials without an end are good for.
const LIFE: Duration = Duration::from_hours(1);

/// The source.
pub struct DevFile {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    seen: Mutex<Option<Stamp>>,
    looks: tokio::sync::Mutex<Option<Interval>>,
}

/// What of a file says that its content is the same.
type Stamp = (SystemTime, u64);

impl DevFile {
    /// Reads that file, when it is first asked.
    pub fn new(path: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self {
            path,
            clock,
            seen: Mutex::default(),
            looks: tokio::sync::Mutex::default(),
        }
    }

    /// How many roles the file names, if it can be read.
    ///
    /// # Errors
    /// `NotFound`, `Denied` or `Invalid`, with the place of what is wrong.
    pub async fn look(&self) -> Result<usize, BoundaryError> {
        self.read().await.map(|file| file.roles.len())
    }

    async fn stamp(&self) -> Option<Stamp> {
        let metadata = tokio::fs::metadata(&self.path).await.ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }

    async fn read(&self) -> Result<DevCredentials, BoundaryError> {
        let failed = |kind, words: &str| {
            let operation = format!("read credentials from {}", self.path.display());
            BoundaryError::new(operation, kind, words)
        };
        let content = read_limited(&self.path).await.map_err(|error| {
            let kind = if error.kind() == io::ErrorKind::NotFound {
                ErrorKind::NotFound
            } else if error.kind() == io::ErrorKind::PermissionDenied {
                ErrorKind::Denied
            } else {
                ErrorKind::Invalid
            };
            failed(kind, "the file cannot be read").because(error)
        })?;
        serde_json::from_slice(&content).map_err(|error| {
            // Its words may quote a value; its place does not.
            let (line, column) = (error.line(), error.column());
            let words = if error.is_data() {
                "the members are not those that belong there"
            } else {
                "it is not JSON"
            };
            failed(
                ErrorKind::Invalid,
                &format!("{words}, line {line}, column {column}"),
            )
        })
    }
}

async fn read_limited(path: &std::path::Path) -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
    let file = tokio::fs::File::open(path).await?;
    let mut content = zeroize::Zeroizing::new(Vec::new());
    file.take(MAX_BYTES.saturating_add(1))
        .read_to_end(&mut content)
        .await?;
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(io::Error::other(format!(
            "it has more than {MAX_BYTES} bytes"
        )));
    }
    Ok(content)
}

#[async_trait]
impl CredentialsSource for DevFile {
    async fn fetch(&self, grant: &RoleGrant) -> Result<Credentials, BoundaryError> {
        let file = self.read().await?;
        let role = file.roles.get(grant.role.as_str()).cloned();
        let Some(role) = role.or_else(|| file.others()) else {
            let words = format!("the file has none for {}", grant.role);
            return Err(BoundaryError::new(
                "find credentials",
                ErrorKind::NotFound,
                words,
            ));
        };
        credentials(role, self.clock.now())
    }

    async fn changed(&self) {
        let mut looks = self.looks.lock().await;
        let looks = looks.get_or_insert_with(|| {
            let mut looks = tokio::time::interval(LOOK);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            looks
        });
        loop {
            looks.tick().await;
            let stamp = self.stamp().await;
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen != stamp {
                *seen = stamp;
                return;
            }
        }
    }
}

fn credentials(role: DevRole, now: UnixMillis) -> Result<Credentials, BoundaryError> {
    let invalid = |words: &str| BoundaryError::new("read credentials", ErrorKind::Invalid, words);
    let expiration = if let Some(text) = role.expiration {
        let at: Timestamp = text
            .parse()
            .map_err(|_| invalid("Expiration is not an RFC 3339 instant"))?;
        let at = UnixMillis(at.as_millisecond());
        Expiration { text, at }
    } else {
        let at = now.plus(LIFE);
        let text = Timestamp::from_second(at.0.div_euclid(1000))
            .map_err(|_| invalid("this host's clock shows no instant"))?;
        Expiration {
            text: text.to_string(),
            at,
        }
    };
    Ok(Credentials {
        access_key_id: role.access_key_id.into(),
        secret_access_key: role.secret_access_key.into(),
        session_token: role.token.into(),
        expiration,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::domain::credentials::RoleArn;
    use crate::testing::clock::TokioClock;
    use crate::testing::credentials::grant;

    struct Rig {
        root: tempfile::TempDir,
        source: DevFile,
    }

    impl Rig {
        fn new(content: &str) -> Self {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("credentials.json");
            fs::write(&path, content).unwrap();
            let source = DevFile::new(path, Arc::new(TokioClock::new()));
            Self { root, source }
        }

        async fn key(&self, role: &str) -> Result<String, (ErrorKind, String)> {
            let wish = RoleGrant {
                role: RoleArn::parse(role).unwrap(),
                ..grant(1)
            };
            let fetched = self.source.fetch(&wish).await;
            fetched
                .map(|credentials| credentials.access_key_id.expose().clone())
                .map_err(|error| (error.kind, error.to_string()))
        }
    }

    const WEB: &str = "arn:aws:iam::000000000000:role/web";
    const OTHER: &str = "arn:aws:iam::000000000000:role/other";

    #[tokio::test]
    async fn a_role_that_is_named_has_its_own_and_others_have_the_rest() {
        let rig = Rig::new(
            r#"{"AccessKeyId": "all", "SecretAccessKey": "s", "Roles":
               {"arn:aws:iam::000000000000:role/web": {"AccessKeyId": "web", "SecretAccessKey": "s"}}}"#,
        );
        assert_eq!(rig.key(WEB).await, Ok("web".to_owned()));
        assert_eq!(rig.key(OTHER).await, Ok("all".to_owned()));
    }

    #[tokio::test]
    async fn an_end_that_is_given_is_passed_on_unchanged_and_else_is_in_an_hour() {
        let text = "2030-01-01T00:00:00.5Z";
        let rig = Rig::new(&format!(
            r#"{{"AccessKeyId": "a", "SecretAccessKey": "s", "Expiration": "{text}"}}"#
        ));
        let given = rig.source.fetch(&grant(1)).await.unwrap().expiration;
        assert_eq!(given.text, text);
        assert_eq!(given.at, UnixMillis(1_893_456_000_500));
        let rig = Rig::new(r#"{"AccessKeyId": "a", "SecretAccessKey": "s"}"#);
        let made = rig.source.fetch(&grant(1)).await.unwrap().expiration;
        assert_eq!(made.text, "2023-11-14T23:13:20Z");
    }

    #[tokio::test]
    async fn what_is_wrong_is_named_and_no_value_is_shown() {
        for (content, kind, says) in [
            ("{", ErrorKind::Invalid, "it is not JSON, line 1"),
            (
                r#"{"AccessKeyID": "marked"}"#,
                ErrorKind::Invalid,
                "members",
            ),
            (
                r#"{"AccessKeyId": ["marked"]}"#,
                ErrorKind::Invalid,
                "members",
            ),
            (
                r#"{"AccessKeyId": "marked"}"#,
                ErrorKind::NotFound,
                "none for arn:",
            ),
            ("{}", ErrorKind::NotFound, "none for arn:"),
            (
                r#"{"AccessKeyId": "marked", "SecretAccessKey": "marked", "Expiration": "marked"}"#,
                ErrorKind::Invalid,
                "Expiration",
            ),
        ] {
            let (found, message) = Rig::new(content).key(WEB).await.unwrap_err();
            assert_eq!(found, kind, "{content}");
            assert!(message.contains(says), "{message}");
            assert!(!message.contains("marked"), "{message}");
        }
        let large = "x".repeat(300 * 1024);
        assert_eq!(
            Rig::new(&large).key(WEB).await.unwrap_err().0,
            ErrorKind::Invalid
        );
        let gone = Rig::new("{}");
        fs::remove_file(gone.root.path().join("credentials.json")).unwrap();
        assert_eq!(gone.key(WEB).await.unwrap_err().0, ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_file_that_changes_is_told_of() {
        let rig = Rig::new(r#"{"AccessKeyId": "a", "SecretAccessKey": "s"}"#);
        // The first look is news too: nothing was known before.
        rig.source.changed().await;
        fs::write(
            rig.root.path().join("credentials.json"),
            r#"{"AccessKeyId": "changed", "SecretAccessKey": "s"}"#,
        )
        .unwrap();
        rig.source.changed().await;
        assert_eq!(rig.key(WEB).await, Ok("changed".to_owned()));
    }
}
