//! The forms of answers: encoded bodies, and errors that are one JSON string.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

/// An encoded body with status 200.
pub(super) fn body(bytes: Bytes) -> Response {
    with(StatusCode::OK, bytes)
}

/// An error: a JSON string.
pub(super) fn error(status: StatusCode, words: impl AsRef<str>) -> Response {
    with(status, encoded(&words.as_ref()))
}

/// The body of a value.
pub(super) fn encoded(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn with(status: StatusCode, bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// `unable to get docker ID …`, in the words of all versions.
pub(super) fn no_container(id: &str) -> String {
    format!("unable to get docker ID from v3 endpoint ID: {id}")
}

/// `unable to get task Arn …`, in the words of all versions.
pub(super) fn no_task(id: &str) -> String {
    format!("unable to get task Arn from v3 endpoint ID: {id}")
}
