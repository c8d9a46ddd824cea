//! Credentials of roles: what containers are given, under which id, and for whom.

use std::fmt;
use std::sync::Arc;

use super::ids::{IdError, TaskArn, UnixMillis};
use super::secret::Secret;

/// Longest id accepted, in bytes. Ours and those of ECS are UUIDs of 36.
pub const MAX_CREDENTIALS_ID_BYTES: usize = 128;

/// Longest role ARN accepted, in bytes (the limit of AWS).
pub const MAX_ROLE_ARN_BYTES: usize = 2048;

/// The id under which containers ask for credentials. Whoever knows it may get them, so it is kept like a secret:
/// `Debug` does not show it and there is no `Display`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialsId(Arc<str>);

impl CredentialsId {
    /// Takes letters, digits and `-`.
    ///
    /// # Errors
    /// [`IdError`] says which rule the text breaks. Its words can hold a character of the text, never all of it.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > MAX_CREDENTIALS_ID_BYTES {
            return Err(IdError::TooLong {
                limit: MAX_CREDENTIALS_ID_BYTES,
            });
        }
        let stranger = text
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && *c != '-');
        match stranger {
            Some(character) => Err(IdError::BadCharacter {
                character,
                allowed: "letters, digits and '-'",
            }),
            None => Ok(Self(text.into())),
        }
    }

    /// The text, for the container that it is meant for and for the rows.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for CredentialsId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CredentialsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialsId(…)")
    }
}

/// ARN of a role: `arn:<partition>:iam::<account>:role/<path and name>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleArn(Arc<str>);

impl RoleArn {
    /// Takes the text if it is well formed. The account may be empty and the name anything printable: emulators of
    /// AWS are not strict about either.
    ///
    /// # Errors
    /// [`IdError`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        const FORM: IdError = IdError::BadForm {
            form: "arn:<partition>:iam::<account>:role/<name>",
        };
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > MAX_ROLE_ARN_BYTES {
            return Err(IdError::TooLong {
                limit: MAX_ROLE_ARN_BYTES,
            });
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else {
            return Err(FORM);
        };
        let name = resource.strip_prefix("role/").unwrap_or_default();
        let plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        let good = !partition.is_empty()
            && partition
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-')
            && account.chars().all(|c| c.is_ascii_digit())
            && !name.is_empty()
            && name.chars().all(plain);
        if good {
            Ok(Self(text.into()))
        } else {
            Err(FORM)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a role is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleKind {
    /// For the programs of the task.
    Task,
    /// For what the agent does on behalf of the task: images, secrets, logs.
    Execution,
}

impl RoleKind {
    /// Word for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Execution => "execution",
        }
    }
}

/// A role that a task has, under the id by which it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleGrant {
    /// The id.
    pub id: CredentialsId,
    /// The task that the credentials belong to.
    pub owner: TaskArn,
    /// What they are for.
    pub kind: RoleKind,
    /// The role.
    pub role: RoleArn,
}

/// Temporary credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Access key id: no secret by itself, and no business of a log either.
    pub access_key_id: Secret<String>,
    /// Secret access key.
    pub secret_access_key: Secret<String>,
    /// Session token.
    pub session_token: Secret<String>,
    /// When they end.
    pub expiration: Expiration,
}

/// End of credentials: the text that whoever made them gave, which is passed on unchanged, and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiration {
    /// RFC 3339, as given.
    pub text: String,
    /// The instant.
    pub at: UnixMillis,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_plain_text_and_is_never_shown() {
        let id = CredentialsId::parse("a19d5489-ba32-4a72-8883-1c7d6871ec84").unwrap();
        assert_eq!(id.expose(), "a19d5489-ba32-4a72-8883-1c7d6871ec84");
        assert_eq!(format!("{id:?}"), "CredentialsId(…)");
        for text in ["", "a/b", "..", "a b", "a%2fb", "é", &"x".repeat(129)] {
            assert!(CredentialsId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_role_arn_has_a_role_in_it() {
        for text in [
            "arn:aws:iam::123456789012:role/web",
            "arn:aws-cn:iam::123456789012:role/path/to/web",
            "arn:aws:iam::000000000000:role/a+b=c,d.e@f-g_h",
        ] {
            assert_eq!(
                RoleArn::parse(text).map(|arn| arn.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in [
            "",
            "web",
            "arn:aws:iam::123456789012:user/web",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam:us-west-2:123456789012:role/web",
            "arn:aws:sts::123456789012:assumed-role/web/s",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/a\"b",
            "arn:aws:iam::x:role/a",
            "arn::iam::1:role/a",
        ] {
            assert!(RoleArn::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn credentials_do_not_show_themselves() {
        let credentials = Credentials {
            access_key_id: "marked".to_owned().into(),
            secret_access_key: "marked".to_owned().into(),
            session_token: "marked".to_owned().into(),
            expiration: Expiration {
                text: "2026-01-02T03:04:05Z".to_owned(),
                at: UnixMillis(0),
            },
        };
        assert!(!format!("{credentials:?}").contains("marked"));
    }
}
