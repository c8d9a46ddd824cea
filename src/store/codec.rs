//! Definitions as text: the one place where this room names `definition`.

use crate::definition::{canonical, from_canonical};
use crate::domain::definition::TaskDefinition;
use crate::store::error::RowError;

/// The canonical text: equal definitions give equal texts.
pub(super) fn encode(definition: &TaskDefinition) -> String {
    canonical(definition)
}

/// Reads the text back.
pub(super) fn decode(text: &str) -> Result<TaskDefinition, RowError> {
    from_canonical(text).map_err(RowError::Definition)
}
