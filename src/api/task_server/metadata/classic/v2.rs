//! Version 2: the caller is known by where it calls from.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;

use super::super::MetadataState;
use super::super::answer::{body, encoded, error};
use super::super::stats::{Form, of_container, of_task};
use super::wire::{Container, Networks, Task};
use crate::api::task_server::peer::Peer;
use crate::api::view::{SeenContainer, SeenTask};

pub(in super::super) fn routes() -> Router<MetadataState> {
    Router::new()
        .route("/v2/metadata", any(task))
        .route("/v2/metadata/", any(task))
        .route("/v2/metadata/{*id}", any(container))
        .route("/v2/metadataWithTags", any(task_with_tags))
        .route("/v2/metadataWithTags/", any(task_with_tags))
        .route("/v2/stats", any(task_stats))
        .route("/v2/stats/", any(task_stats))
        .route("/v2/stats/{*id}", any(container_stats))
}

/// Answers about the caller's task.
fn about(
    state: &MetadataState,
    peer: &Peer,
    answer: impl FnOnce(&SeenTask) -> Response,
) -> Response {
    let indexed = state.views.now();
    let entry = peer.caller().task().and_then(|arn| indexed.task(arn));
    entry.map_or_else(|| nobody(peer), |entry| answer(entry.seen()))
}

fn nobody(peer: &Peer) -> Response {
    let address = peer.address().ip().to_canonical();
    let words =
        format!("Unable to get task arn from request: unable to associate '{address}' with task");
    error(StatusCode::BAD_REQUEST, words)
}

/// A container of that task only.
fn find<'a>(task: &'a SeenTask, id: &str) -> Option<&'a SeenContainer> {
    let has_id = |it: &&SeenContainer| it.docker_id.as_ref().is_some_and(|it| it.as_str() == id);
    task.containers.iter().find(has_id)
}

async fn task(State(state): State<MetadataState>, peer: Peer) -> Response {
    about(&state, &peer, |task| {
        let beside = state.around();
        body(encoded(&Task::new(task, Networks::Left, &beside)))
    })
}

async fn task_with_tags(State(state): State<MetadataState>, peer: Peer) -> Response {
    let indexed = state.views.now();
    let Some(entry) = peer.caller().task().and_then(|arn| indexed.task(arn)) else {
        return nobody(&peer);
    };
    let beside = state.beside(entry.seen()).await;
    body(encoded(&Task::new(entry.seen(), Networks::Left, &beside)))
}

async fn container(
    State(state): State<MetadataState>,
    peer: Peer,
    Path(id): Path<String>,
) -> Response {
    about(&state, &peer, |task| match find(task, &id) {
        Some(container) => body(encoded(&Container::new(container, Networks::Left))),
        None => error(
            StatusCode::BAD_REQUEST,
            format!("Unable to generate metadata for container '{id}'"),
        ),
    })
}

async fn task_stats(State(state): State<MetadataState>, peer: Peer) -> Response {
    about(&state, &peer, |task| {
        match of_task(state.stats.as_ref(), task, Form::Classic) {
            Some(bytes) => body(bytes),
            None => error(
                StatusCode::BAD_REQUEST,
                format!("Unable to get task stats for: {}", task.arn),
            ),
        }
    })
}

async fn container_stats(
    State(state): State<MetadataState>,
    peer: Peer,
    Path(id): Path<String>,
) -> Response {
    about(&state, &peer, |task| {
        let found = find(task, &id);
        match found.and_then(|it| of_container(state.stats.as_ref(), it, Form::Classic)) {
            Some(bytes) => body(bytes),
            None => error(
                StatusCode::BAD_REQUEST,
                format!("Unable to get container stats for: {id}"),
            ),
        }
    })
}
