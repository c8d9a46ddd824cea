//! `berth openapi` (hidden): the OpenAPI document of a listener, as `make openapi` commits it.

use clap::ValueEnum;

use super::exit;
use super::output::Output;
use crate::api::admin::openapi_text;
use crate::api::observe::superset::introspection_text;

/// Which document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// Of the admin socket.
    Admin,
    /// Of the introspection listener.
    Introspection,
}

/// Prints the document.
///
/// # Errors
/// If the reader of the output has gone away.
pub fn run(document: Document, out: &mut Output) -> anyhow::Result<u8> {
    let text = match document {
        Document::Admin => openapi_text()?,
        Document::Introspection => introspection_text()?,
    };
    out.line(text.trim_end())?;
    Ok(exit::OK)
}
