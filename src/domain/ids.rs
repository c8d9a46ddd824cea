//! Parsed identifiers: once text is one of these it is never checked again.
//!
//! Each type has one `parse` and a `Display` that gives the same text back. None of them can hold a `/` or `..`
//! component that would turn a name into another path, except [`TaskArn`], whose [`TaskArn::task_id`] cannot.

use std::fmt;
use std::sync::Arc;

/// Longest task id, family, container and volume name accepted, in bytes (the register-task-definition limit).
pub const MAX_NAME_BYTES: usize = 255;

/// Longest ARN accepted, in bytes.
pub const MAX_ARN_BYTES: usize = 1024;

/// Why a text is not the identifier it was taken for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing was given.
    #[error("is empty")]
    Empty,
    /// Longer than the limit in bytes.
    #[error("is longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A character that the type does not allow.
    #[error("has the character {character:?}, allowed are {allowed}")]
    BadCharacter {
        /// The first offending character.
        character: char,
        /// The allowed set in words.
        allowed: &'static str,
    },
    /// Not of the form the type requires.
    #[error("is not of the form {form}")]
    BadForm {
        /// The required form.
        form: &'static str,
    },
}

fn check(
    text: &str,
    limit: usize,
    allowed: &'static str,
    good: fn(char) -> bool,
) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > limit {
        return Err(IdError::TooLong { limit });
    }
    match text.chars().find(|&c| !good(c)) {
        Some(character) => Err(IdError::BadCharacter { character, allowed }),
        None => Ok(()),
    }
}

const WORD: &str = "letters, digits, '-' and '_'";

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $limit:expr, $allowed:expr, $good:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes the text if it is well formed.
            ///
            /// # Errors
            /// [`IdError`] says which rule the text breaks.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check(text, $limit, $allowed, $good)?;
                Ok(Self(text.to_owned()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// Task definition family.
    Family, MAX_NAME_BYTES, WORD, is_word
);
text_id!(
    /// Last segment of a task ARN: the identity used in names, paths and cgroups.
    TaskId, MAX_NAME_BYTES, WORD, is_word
);
text_id!(
    /// Cluster name.
    ClusterName, MAX_NAME_BYTES, WORD, is_word
);
text_id!(
    /// Name of a volume inside a task definition.
    VolumeName, MAX_NAME_BYTES, WORD, is_word
);
text_id!(
    /// Name of a container inside its task. Internal containers start with `~internal~ecs~`, which no definition can.
    ContainerName, MAX_NAME_BYTES, "letters, digits, '-' and '_'", |c| is_word(c) || c == '~'
);
text_id!(
    /// Id that Docker gave a container: 64 hexadecimal digits.
    DockerId, 64, "hexadecimal digits", |c| c.is_ascii_hexdigit()
);

impl ContainerName {
    /// The container that holds the network of a task (reference agent's name).
    pub fn network_pause() -> Self {
        Self("~internal~ecs~pause".to_owned())
    }

    /// The container that holds the PID and IPC namespaces of a task (reference agent's name).
    pub fn namespace_pause() -> Self {
        Self("~internal~ecs~pause~namespace".to_owned())
    }

    /// Whether the agent added this container itself (reference agent: names `~internal~ecs~…`).
    pub fn is_internal(&self) -> bool {
        self.0.starts_with("~internal~ecs~")
    }
}

/// Full ARN of a task: the key of everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskArn(Arc<ArnParts>);

/// In one place, since a key is copied for each set and map that it stands in.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ArnParts {
    text: String,
    task_id: TaskId,
}

impl TaskArn {
    /// Takes `arn:<partition>:ecs:<region>:<account>:task/[<cluster>/]<id>`.
    ///
    /// # Errors
    /// [`IdError`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        const FORM: IdError = IdError::BadForm {
            form: "arn:<partition>:ecs:<region>:<account>:task/[<cluster>/]<id>",
        };
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > MAX_ARN_BYTES {
            return Err(IdError::TooLong {
                limit: MAX_ARN_BYTES,
            });
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "ecs", region, account, resource] = parts.as_slice() else {
            return Err(FORM);
        };
        if !partition.chars().all(is_word)
            || !region.chars().all(is_word)
            || !account.chars().all(is_word)
        {
            return Err(FORM);
        }
        let path = resource.strip_prefix("task/").ok_or(FORM)?;
        let mut segments = path.split('/');
        let (first, second, third) = (segments.next(), segments.next(), segments.next());
        let task_id = match (first, second, third) {
            (Some(id), None, None) => TaskId::parse(id)?,
            (Some(cluster), Some(id), None) => {
                ClusterName::parse(cluster)?;
                TaskId::parse(id)?
            }
            _ => return Err(FORM),
        };
        Ok(Self::of(text.to_owned(), task_id))
    }

    /// The ARN that standalone mode gives a task: region `local`, account `000000000000`.
    pub fn standalone(cluster: &ClusterName, task_id: &TaskId) -> Self {
        let text = format!("arn:aws:ecs:local:000000000000:task/{cluster}/{task_id}");
        Self::of(text, task_id.clone())
    }

    fn of(text: String, task_id: TaskId) -> Self {
        Self(Arc::new(ArnParts { text, task_id }))
    }

    /// Its region; `None` = it is this host's own task.
    pub fn region(&self) -> Option<&str> {
        let region = self.0.text.split(':').nth(3);
        region.filter(|_| !self.is_standalone())
    }

    /// Whether it is such an ARN: the task is this host's own affair.
    pub fn is_standalone(&self) -> bool {
        self.0.text.split(':').nth(3) == Some("local")
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Last segment.
    pub fn task_id(&self) -> &TaskId {
        &self.0.task_id
    }
}

impl fmt::Display for TaskArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

/// Counts writes of desired state (style R9). The first write is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

impl Generation {
    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An instant of wall time: milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// This instant plus a duration, capped at the largest instant.
    #[must_use]
    pub fn plus(self, duration: std::time::Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The instant that this one is on a clock that was set forward by so many milliseconds, or back.
    #[must_use]
    pub fn set_forward(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Time from `earlier` to this instant; zero if it lies in the future.
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_millis(
            u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_arn_takes_the_short_and_the_long_form() {
        for text in [
            "arn:aws:ecs:us-west-2:123456789012:task/abc",
            "arn:aws-cn:ecs:cn-north-1:1:task/default/abc",
        ] {
            let arn = TaskArn::parse(text).expect(text);
            assert_eq!(arn.task_id().as_str(), "abc");
            assert_eq!(arn.to_string(), text);
        }
    }

    #[test]
    fn task_arn_refuses_what_could_become_another_path() {
        for text in [
            "",
            "abc",
            "arn:aws:ecs:r:1:task/",
            "arn:aws:ecs:r:1:task/..",
            "arn:aws:ecs:r:1:task/a/b/c",
            "arn:aws:ecs:r:1:task/a/../b",
            "arn:aws:ecs:r:1:service/a",
        ] {
            assert!(TaskArn::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pause_containers_have_names_that_parse_and_are_internal() {
        for name in [
            ContainerName::network_pause(),
            ContainerName::namespace_pause(),
        ] {
            assert_eq!(ContainerName::parse(name.as_str()), Ok(name.clone()));
            assert!(name.is_internal());
        }
    }

    #[test]
    fn names_refuse_separators_and_dots() {
        for text in ["", "a/b", "..", "a b", "ä", &"x".repeat(256)] {
            assert!(ContainerName::parse(text).is_err(), "{text}");
            assert!(VolumeName::parse(text).is_err(), "{text}");
        }
    }
}
