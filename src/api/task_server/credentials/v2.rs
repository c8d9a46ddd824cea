//! `/v2/credentials/{id}`; the id is the whole rest of the path.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::CredentialsState;
use super::answer::{Version, answer};
use crate::api::task_server::peer::{Began, Peer};

pub(super) async fn get(
    State(state): State<CredentialsState>,
    peer: Peer,
    began: Began,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    // A path that is no text is no id that anybody has.
    let id = id.map_or_else(|_| "\u{fffd}".to_owned(), |Path(id)| id);
    answer(&state, Version::V2, Some(&id), (&peer, began), &headers).await
}

pub(super) async fn get_without_id(
    State(state): State<CredentialsState>,
    peer: Peer,
    began: Began,
    headers: HeaderMap,
) -> Response {
    answer(&state, Version::V2, None, (&peer, began), &headers).await
}
