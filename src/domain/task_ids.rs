//! Ids that a task is given when it arrives and keeps: of its containers' endpoints and of its credentials.
//!
//! **Invariants.** Chosen once and never again: containers carry them in their environment. Whoever knows one may ask
//! with it, so they cannot be printed by accident: `Debug` shows no digit and there is no `Display`.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::credentials::CredentialsId;
use super::definition::TaskDefinition;
use super::ids::ContainerName;

/// Length of an endpoint id: the dashed form of 128 bits.
const TEXT_BYTES: usize = 36;

/// Where dashes are.
const DASHES: [usize; 4] = [8, 13, 18, 23];

/// What is shown where an id is not chosen yet.
const PLACEHOLDER: &str = "chosen-when-the-task-is-put";

/// Why a text is not an endpoint id. The text itself is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx in lower-case hexadecimal digits")]
pub struct EndpointIdError;

/// Names one container at the task metadata endpoint and the agent API: the same for all versions of them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(Arc<str>);

impl EndpointId {
    /// Takes the text if it is a lower-case dashed UUID.
    ///
    /// # Errors
    /// If it is not one.
    pub fn parse(text: &str) -> Result<Self, EndpointIdError> {
        if is_uuid(text) {
            Ok(Self(text.into()))
        } else {
            Err(EndpointIdError)
        }
    }

    /// The id of these random bits.
    pub fn from_random(bits: u128) -> Self {
        Self(uuid(bits).into())
    }

    /// Stands for the id of a container that will perhaps never be made.
    pub fn placeholder() -> Self {
        Self(PLACEHOLDER.into())
    }

    /// The text, for the container that it is meant for, for rows and comparisons.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for EndpointId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndpointId(…)")
    }
}

/// The ids of one task. Empty for a task that was stored before there were any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskIds {
    /// Of the credentials of the task role, if it has one.
    pub task_role: Option<CredentialsId>,
    /// Of the credentials of the execution role, if it has one.
    pub execution_role: Option<CredentialsId>,
    /// By container, the agent's own included.
    pub endpoints: BTreeMap<ContainerName, EndpointId>,
}

impl TaskIds {
    /// What is shown for a task that is not put: placeholders for its containers and the roles it has.
    pub fn placeholders<'a>(
        containers: impl Iterator<Item = &'a ContainerName>,
        definition: &TaskDefinition,
    ) -> Self {
        // Letters and dashes are a credentials id.
        let id = |role: &Option<String>| {
            let placeholder = CredentialsId::parse(PLACEHOLDER).ok();
            placeholder.filter(|_| role.is_some())
        };
        Self {
            task_role: id(&definition.task_role_arn),
            execution_role: id(&definition.execution_role_arn),
            endpoints: containers
                .map(|container| (container.clone(), EndpointId::placeholder()))
                .collect(),
        }
    }
}

/// Random bits as a lower-case dashed UUID: version 4 and the usual variant take the place of six of them.
pub fn uuid(bits: u128) -> String {
    const VERSION: u128 = 0xf << 76;
    const VARIANT: u128 = 0b11 << 62;
    let bits = (bits & !VERSION & !VARIANT) | (4 << 76) | (0b10 << 62);
    let mut text = format!("{bits:032x}");
    for at in DASHES {
        text.insert(at, '-');
    }
    text
}

fn is_uuid(text: &str) -> bool {
    text.len() == TEXT_BYTES
        && text.bytes().enumerate().all(|(at, byte)| {
            if DASHES.contains(&at) {
                byte == b'-'
            } else {
                matches!(byte, b'0'..=b'9' | b'a'..=b'f')
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bits_become_a_version_4_uuid_that_reads_back() {
        for (bits, text) in [
            (0, "00000000-0000-4000-8000-000000000000"),
            (u128::MAX, "ffffffff-ffff-4fff-bfff-ffffffffffff"),
        ] {
            let id = EndpointId::from_random(bits);
            assert_eq!(id.expose(), text);
            assert_eq!(EndpointId::parse(text), Ok(id));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "00000000000040008000000000000000",
            "00000000-0000-4000-8000-00000000000g",
            "00000000-0000-4000-8000-00000000000A",
            "00000000-0000-4000-8000-0000000000000",
            "../../..-0000-4000-8000-000000000000",
        ] {
            assert_eq!(EndpointId::parse(text), Err(EndpointIdError), "{text}");
        }
    }

    #[test]
    fn nothing_of_an_id_is_in_its_debug_form() {
        let id = EndpointId::from_random(0x1234);
        assert_eq!(format!("{id:?}"), "EndpointId(…)");
    }
}
