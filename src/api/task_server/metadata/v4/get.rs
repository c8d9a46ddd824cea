//! The routes of version 4.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;

use super::super::answer::{body, encoded, error, no_container, no_task};
use super::super::stats::{Form, of_container, of_task};
use super::super::{MetadataState, associations};
use super::wire::{Container, Task};

pub(in super::super) fn routes() -> Router<MetadataState> {
    Router::new()
        // A path parameter is never empty, so that an empty id is a route of its own.
        .route("/v4/", any(container_without_id))
        .route("/v4/{id}", any(container))
        .route("/v4/{id}/task", any(task))
        .route("/v4/{id}/taskWithTags", any(task_with_tags))
        .route("/v4/{id}/stats", any(container_stats))
        .route("/v4/{id}/task/stats", any(task_stats))
        .route("/v4/{id}/associations/{kind}", any(list))
        .route("/v4/{id}/associations/{kind}/", any(unnamed))
        .route("/v4/{id}/associations/{kind}/{name}", any(association))
}

async fn container_without_id(State(state): State<MetadataState>) -> Response {
    show_container(&state, "")
}

async fn container(State(state): State<MetadataState>, Path(id): Path<String>) -> Response {
    show_container(&state, &id)
}

fn show_container(state: &MetadataState, id: &str) -> Response {
    let indexed = state.views.now();
    let found = indexed.endpoint(id).and_then(|(entry, name)| {
        let container = entry.seen().container(name)?;
        let kept = entry.v4_containers.get(name)?;
        let bytes = kept.get_or_init(|| encoded(&Container::from(container)));
        Some(bytes.clone())
    });
    match found {
        Some(bytes) => body(bytes),
        None => error(
            StatusCode::NOT_FOUND,
            format!(
                "V4 container metadata handler: unable to get container ID from request: {}",
                no_container(id)
            ),
        ),
    }
}

async fn task(State(state): State<MetadataState>, Path(id): Path<String>) -> Response {
    let indexed = state.views.now();
    match indexed.endpoint(&id) {
        Some((entry, _)) => {
            let encode = || encoded(&Task::new(entry.seen(), false));
            body(entry.v4.get_or_init(encode).clone())
        }
        None => unknown_task(&id),
    }
}

async fn task_with_tags(State(state): State<MetadataState>, Path(id): Path<String>) -> Response {
    let indexed = state.views.now();
    match indexed.endpoint(&id) {
        Some((entry, _)) => body(encoded(&Task::new(entry.seen(), true))),
        None => unknown_task(&id),
    }
}

fn unknown_task(id: &str) -> Response {
    let words = format!(
        "V4 task metadata handler: unable to get task arn from request: {}",
        no_task(id)
    );
    error(StatusCode::NOT_FOUND, words)
}

async fn container_stats(State(state): State<MetadataState>, Path(id): Path<String>) -> Response {
    let indexed = state.views.now();
    let found = indexed
        .endpoint(&id)
        .and_then(|(entry, name)| entry.seen().container(name));
    let Some(container) = found else {
        return unknown_stats("container", &id);
    };
    if let Some(bytes) = of_container(state.stats.as_ref(), container, Form::V4) {
        body(bytes)
    } else {
        let docker_id = container.docker_id.as_ref().map_or("", |id| id.as_str());
        let words = format!("Unable to get container stats for: {docker_id}");
        error(StatusCode::INTERNAL_SERVER_ERROR, words)
    }
}

async fn task_stats(State(state): State<MetadataState>, Path(id): Path<String>) -> Response {
    let indexed = state.views.now();
    let Some((entry, _)) = indexed.endpoint(&id) else {
        return unknown_stats("task", &id);
    };
    if let Some(bytes) = of_task(state.stats.as_ref(), entry.seen(), Form::V4) {
        body(bytes)
    } else {
        let words = format!("Unable to get task stats for: {}", entry.seen().arn);
        error(StatusCode::INTERNAL_SERVER_ERROR, words)
    }
}

fn unknown_stats(of: &str, id: &str) -> Response {
    let words = format!(
        "V4 {of} stats handler: unable to get task arn from request: {}",
        no_task(id)
    );
    error(StatusCode::NOT_FOUND, words)
}

async fn list(
    State(state): State<MetadataState>,
    Path((id, _kind)): Path<(String, String)>,
) -> Response {
    associations::list(&state, '4', &id)
}

async fn unnamed(
    State(state): State<MetadataState>,
    Path((id, kind)): Path<(String, String)>,
) -> Response {
    associations::one(&state, '4', &id, (&kind, ""))
}

async fn association(
    State(state): State<MetadataState>,
    Path((id, kind, name)): Path<(String, String, String)>,
) -> Response {
    associations::one(&state, '4', &id, (&kind, &name))
}
