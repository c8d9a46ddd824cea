//! Version 3: the caller is known by the id in the path.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;

use super::super::MetadataState;
use super::super::answer::{body, encoded, error, no_container, no_task};
use super::super::by_endpoint::{self, Dialect};
use super::super::stats::Form;
use super::wire::{Container, Networks, Task};

const DIALECT: Dialect = Dialect {
    version: '3',
    form: Form::Classic,
    unknown: StatusCode::BAD_REQUEST,
    untracked: StatusCode::BAD_REQUEST,
};

pub(in super::super) fn routes() -> Router<MetadataState> {
    Router::new()
        // A path parameter is never empty, so that an empty id is a route of its own.
        .route("/v3/", any(container_without_id))
        .route("/v3/{id}", any(container))
        .route("/v3/{id}/task", any(task))
        .route("/v3/{id}/taskWithTags", any(task_with_tags))
        .merge(by_endpoint::routes(DIALECT))
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
            // Before the look: what becomes known in between is not left out for good.
            let settled = state.is_settled();
            let beside = state.around();
            let encode = || encoded(&Task::new(entry.seen(), Networks::Shown, &beside));
            body(if settled {
                entry.v3.get_or_init(encode).clone()
            } else {
                encode()
            })
        }
        None => unknown_task(&id),
    }
}

async fn task_with_tags(State(state): State<MetadataState>, Path(id): Path<String>) -> Response {
    let indexed = state.views.now();
    match indexed.endpoint(&id) {
        Some((entry, _)) => {
            let beside = state.beside(entry.seen()).await;
            body(encoded(&Task::new(entry.seen(), Networks::Shown, &beside)))
        }
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
