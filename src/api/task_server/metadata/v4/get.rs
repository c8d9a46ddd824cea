//! The routes of version 4.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;

use super::super::MetadataState;
use super::super::answer::{body, encoded, error, no_container, no_task};
use super::super::by_endpoint::{self, Dialect};
use super::super::stats::Form;
use super::wire::{Container, Task};

const DIALECT: Dialect = Dialect {
    version: '4',
    form: Form::V4,
    unknown: StatusCode::NOT_FOUND,
    untracked: StatusCode::INTERNAL_SERVER_ERROR,
};

pub(in super::super) fn routes() -> Router<MetadataState> {
    Router::new()
        // A path parameter is never empty, so that an empty id is a route of its own.
        .route("/v4/", any(container_without_id))
        .route("/v4/{id}", any(container))
        .route("/v4/{id}/task", any(task))
        .route("/v4/{id}/taskWithTags", any(task_with_tags))
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
            // Before the look: what becomes known in between is not left out for good.
            let settled = state.is_settled();
            let beside = state.around();
            let encode = || encoded(&Task::new(entry.seen(), &beside));
            body(if settled {
                entry.v4.get_or_init(encode).clone()
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
            body(encoded(&Task::new(entry.seen(), &beside)))
        }
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
