//! Bodies that versions share.

use serde::Serialize;

/// Names of associations; `null` if there are none.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Associations {
    associations: Option<Vec<String>>,
}
