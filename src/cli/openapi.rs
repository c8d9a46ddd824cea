//! `berth openapi` (hidden): the OpenAPI document of the admin API, as `make openapi` commits it.

use super::exit;
use super::output::Output;
use crate::api::admin::openapi_text;

/// Prints the document.
///
/// # Errors
/// If the reader of the output has gone away.
pub fn run(out: &mut Output) -> anyhow::Result<u8> {
    let text = openapi_text()?;
    out.line(text.trim_end())?;
    Ok(exit::OK)
}
