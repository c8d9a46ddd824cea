//! Associations of containers with devices. None are shown here: the only service of them is retired, and a container
//! knows its GPUs by its environment.

use axum::http::StatusCode;
use axum::response::Response;

use super::MetadataState;
use super::answer::{body, encoded, error, no_container};
use super::wire::Associations;

/// Names of the associations of a type.
pub(super) fn list(state: &MetadataState, version: char, id: &str) -> Response {
    known(state, version, id).unwrap_or_else(|| body(encoded(&Associations::default())))
}

/// The content of one.
pub(super) fn one(
    state: &MetadataState,
    version: char,
    id: &str,
    (kind, name): (&str, &str),
) -> Response {
    known(state, version, id).unwrap_or_else(|| {
        let words = if name.is_empty() {
            format!("V{version} container associations handler: unable to get association name from request")
        } else {
            format!(
                "Unable to write container association response: unable to get association from \
                 association type {kind} and association name {name}"
            )
        };
        error(StatusCode::BAD_REQUEST, words)
    })
}

/// What to answer to somebody unknown.
fn known(state: &MetadataState, version: char, id: &str) -> Option<Response> {
    let indexed = state.views.now();
    if indexed.endpoint(id).is_some() {
        return None;
    }
    let words = format!(
        "V{version} container associations handler: unable to get container id from request: {}",
        no_container(id)
    );
    Some(error(StatusCode::BAD_REQUEST, words))
}
