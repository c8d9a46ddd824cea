//! Associations of containers with devices: the GPUs that ECS has chosen for one. The only other kind there was is of a
//! service that is retired.

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;

use super::MetadataState;
use super::answer::{body, encoded, error, no_container};
use super::wire::Associations;

/// The kind of GPUs, which are named by their ids and have no content.
const GPU: &str = "gpu";

/// Names of the associations of a type.
pub(super) fn list(state: &MetadataState, version: char, id: &str, kind: &str) -> Response {
    match gpus(state, version, id) {
        Ok(gpus) if kind == GPU => body(encoded(&Associations::of(gpus))),
        Ok(_) => body(encoded(&Associations::default())),
        Err(unknown) => error(StatusCode::BAD_REQUEST, unknown),
    }
}

/// The content of one.
pub(super) fn one(
    state: &MetadataState,
    version: char,
    id: &str,
    (kind, name): (&str, &str),
) -> Response {
    let words = match gpus(state, version, id) {
        Err(unknown) => unknown,
        Ok(_) if name.is_empty() => format!(
            "V{version} container associations handler: unable to get association name from request"
        ),
        Ok(gpus) if kind == GPU && gpus.iter().any(|gpu| gpu == name) => return body(Bytes::new()),
        Ok(_) => format!(
            "Unable to write container association response: unable to get association from \
             association type {kind} and association name {name}"
        ),
    };
    error(StatusCode::BAD_REQUEST, words)
}

/// Those of the container, or what to tell somebody unknown.
fn gpus(state: &MetadataState, version: char, id: &str) -> Result<Vec<String>, String> {
    let indexed = state.views.now();
    if let Some((task, container)) = indexed.endpoint(id) {
        return Ok(task.gpus(container).to_vec());
    }
    Err(format!(
        "V{version} container associations handler: unable to get container id from request: {}",
        no_container(id)
    ))
}
