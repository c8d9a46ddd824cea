//! Version 3: the caller is known by the id in the path.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;

use super::super::answer::{body, encoded, error, no_container, no_task};
use super::super::stats::{Form, of_container, of_task};
use super::super::{MetadataState, associations};
use super::wire::{Container, Networks, Task};

pub(in super::super) fn routes() -> Router<MetadataState> {
    Router::new()
        // A path parameter is never empty, so that an empty id is a route of its own.
        .route("/v3/", any(container_without_id))
        .route("/v3/{id}", any(container))
        .route("/v3/{id}/task", any(task))
        .route("/v3/{id}/taskWithTags", any(task_with_tags))
        .route("/v3/{id}/stats", any(container_stats))
        .route("/v3/{id}/task/stats", any(task_stats))
        .route("/v3/{id}/associations/{kind}", any(list))
        .route("/v3/{id}/associations/{kind}/", any(unnamed))
        .route("/v3/{id}/associations/{kind}/{name}", any(association))
}

async fn container_without_id(State(state): State<MetadataState>) -> Response {
    show_container(&state, "")
}

async fn container(State(state): State<MetadataState>, Path(id): Path<String>) -> Response {
    show_container(&state, &id)
}

fn show_container(state: &MetadataState, id: &str) -> Response {
    let indexed = state.views.now();
    let found = indexed
        .endpoint(id)
        .and_then(|(entry, name)| entry.seen().container(name));
    match found {
        Some(container) => body(encoded(&Container::new(container, Networks::Shown))),
        None => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!(
                "V3 container metadata handler: unable to get container ID from request: {}",
                no_container(id)
            ),
        ),
    }
}

async fn task(State(state): State<MetadataState>, Path(id): Path<String>) -> Response {
    let indexed = state.views.now();
    match indexed.endpoint(&id) {
        Some((entry, _)) => {
            let encode = || encoded(&Task::new(entry.seen(), Networks::Shown, false));
            body(entry.v3.get_or_init(encode).clone())
        }
        None => unknown_task(&id),
    }
}

async fn task_with_tags(State(state): State<MetadataState>, Path(id): Path<String>) -> Response {
    let indexed = state.views.now();
    match indexed.endpoint(&id) {
        Some((entry, _)) => body(encoded(&Task::new(entry.seen(), Networks::Shown, true))),
        None => unknown_task(&id),
    }
}

fn unknown_task(id: &str) -> Response {
    let words = format!(
        "V3 task metadata handler: unable to get task arn from request: {}",
        no_task(id)
    );
    error(StatusCode::INTERNAL_SERVER_ERROR, words)
}

async fn container_stats(State(state): State<MetadataState>, Path(id): Path<String>) -> Response {
    let indexed = state.views.now();
    let found = indexed
        .endpoint(&id)
        .and_then(|(entry, name)| entry.seen().container(name));
    let Some(container) = found else {
        return unknown_stats("container", &id);
    };
    if let Some(bytes) = of_container(state.stats.as_ref(), container, Form::Classic) {
        body(bytes)
    } else {
        let docker_id = container.docker_id.as_ref().map_or("", |id| id.as_str());
        let words = format!("Unable to get container stats for: {docker_id}");
        error(StatusCode::BAD_REQUEST, words)
    }
}

async fn task_stats(State(state): State<MetadataState>, Path(id): Path<String>) -> Response {
    let indexed = state.views.now();
    let Some((entry, _)) = indexed.endpoint(&id) else {
        return unknown_stats("task", &id);
    };
    if let Some(bytes) = of_task(state.stats.as_ref(), entry.seen(), Form::Classic) {
        body(bytes)
    } else {
        let words = format!("Unable to get task stats for: {}", entry.seen().arn);
        error(StatusCode::BAD_REQUEST, words)
    }
}

fn unknown_stats(of: &str, id: &str) -> Response {
    let words = format!(
        "V3 {of} stats handler: unable to get task arn from request: {}",
        no_task(id)
    );
    error(StatusCode::BAD_REQUEST, words)
}

async fn list(
    State(state): State<MetadataState>,
    Path((id, _kind)): Path<(String, String)>,
) -> Response {
    associations::list(&state, '3', &id)
}

async fn unnamed(
    State(state): State<MetadataState>,
    Path((id, kind)): Path<(String, String)>,
) -> Response {
    associations::one(&state, '3', &id, (&kind, ""))
}

async fn association(
    State(state): State<MetadataState>,
    Path((id, kind, name)): Path<(String, String, String)>,
) -> Response {
    associations::one(&state, '3', &id, (&kind, &name))
}
