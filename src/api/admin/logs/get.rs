//! `GET /v1/tasks/{id}/containers/{name}/logs`: what a container has written and writes.

use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream::BoxStream;
use tokio_util::sync::CancellationToken;

use super::stream::{Form, Output, bytes};
use super::wire::LogItem;
use crate::api::admin::error::no_output;
use crate::api::admin::state::AdminState;
use crate::api::observe::select::SelectedTask;
use crate::api::observe::state::{ListenerShutdown, Streams};
use crate::api::observe::why::explain;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;
use crate::boundary::{BoundaryError, ContainerRuntime};
use crate::domain::ids::{ContainerName, DockerId, UnixMillis};
use crate::domain::runtime::OutputChunk;

/// Longest wait for Docker to begin.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);

/// Most lines that `tail` can ask for.
const MAX_TAIL: u32 = 1_000_000;

/// Read a container's output.
///
/// One object a line with the stream it was written to, or, with `raw`, the bytes of both streams as they come.
/// With `follow` the answer goes on while the container runs.
#[utoipa::path(
    get, path = "/v1/tasks/{id}/containers/{name}/logs", operation_id = "readLogs", tag = "logs",
    params(
        ("id" = String, Path, description = "Task id, full ARN (percent-encoded), or the beginning of one id"),
        ("name" = String, Path, description = "Container name"),
        ("follow" = Option<bool>, Query, description = "Go on while the container runs"),
        ("tail" = Option<u32>, Query, description = "Only the last lines; default all"),
        ("raw" = Option<bool>, Query, description = "The bytes as they are"),
    ),
    responses(
        (status = 200, description = "Output",
            content((LogItem = "application/x-ndjson"), (String = "application/octet-stream"))),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = 404, body = ProblemDocument, content_type = "application/problem+json", description = "No such task or container, or Docker has it no more"),
        (status = 409, body = ProblemDocument, content_type = "application/problem+json", description = "Several ids begin so; or the container has not been created yet, `detail` says why"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "Docker does not give it now, or there is no stream left"),
    ),
)]
pub(in crate::api) async fn read_logs(
    State(state): State<AdminState>,
    State(streams): State<Streams>,
    shutdown: Option<Extension<ListenerShutdown>>,
    task: SelectedTask,
    mut params: Params,
) -> Result<Response, Problem> {
    let (follow, tail) = (params.flag("follow"), params.number("tail", 0..=MAX_TAIL));
    let form = if params.flag("raw") {
        Form::Raw
    } else {
        Form::Lines
    };
    params.finish()?;
    let id = docker_id(&task, state.observe.clock.now())?;
    let place = streams.enter()?;
    let chunks = open(state.runtime.as_ref(), &id, follow, tail).await;
    let output = Output {
        chunks: chunks.map_err(|error| no_output(&error))?,
        shutdown: shutdown.map_or_else(CancellationToken::new, |Extension(token)| token.0),
        form,
        follow,
        _place: place,
    };
    let content_type = match form {
        Form::Lines => "application/x-ndjson",
        Form::Raw => "application/octet-stream",
    };
    let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(bytes(output))).into_response())
}

fn docker_id(task: &SelectedTask, now: UnixMillis) -> Result<DockerId, Problem> {
    let text = task
        .rest
        .get("name")
        .map(String::as_str)
        .unwrap_or_default();
    let (definition, known) = (&task.view.task.desired.definition, &task.view.task.known);
    let name = ContainerName::parse(text)
        .ok()
        .filter(|name| definition.container(name).is_some() || known.containers.contains_key(name));
    let Some(name) = name else {
        let names = definition.containers.iter();
        let names: Vec<_> = names.map(|container| container.name.as_str()).collect();
        let detail = format!(
            "there is no container {text:?}; there are {}",
            names.join(", ")
        );
        return Err(Problem::new(ProblemKind::ContainerNotFound).detail(detail));
    };
    let container = known.containers.get(&name);
    container
        .and_then(|known| known.docker_id.clone())
        .ok_or_else(|| {
            let why = explain(&task.view, &task.snapshot.engine, now).headline;
            Problem::new(ProblemKind::ContainerNotCreated).detail(why)
        })
}

async fn open(
    runtime: &dyn ContainerRuntime,
    id: &DockerId,
    follow: bool,
    tail: Option<u32>,
) -> Result<BoxStream<'static, Result<OutputChunk, BoundaryError>>, BoundaryError> {
    tokio::time::timeout(OPEN_DEADLINE, runtime.logs(id, follow, tail))
        .await
        .unwrap_or_else(|_| {
            Err(BoundaryError::deadline(
                format!("logs of {id}"),
                OPEN_DEADLINE,
            ))
        })
}
