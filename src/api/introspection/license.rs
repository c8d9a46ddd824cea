//! `/license`: the licence of the agent.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

const TEXT: &str = include_str!("../../../LICENSE");

pub(super) async fn get() -> Response {
    ([(CONTENT_TYPE, "text/plain")], TEXT).into_response()
}
