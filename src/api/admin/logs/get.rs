//! `GET /v1/tasks/{id}/containers/{name}/logs`: what a container has written and writes.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use super::source::{Source, Subject};
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
use crate::domain::ids::{ContainerName, UnixMillis};
use crate::domain::runtime::OutputRange;
use crate::domain::task::KnownContainer;

/// Most lines that `tail` can ask for.
const MAX_TAIL: u32 = 1_000_000;

/// Read a container's output.
///
/// One object a line with the stream it was written to, or, with `raw`, the bytes of both streams as they come.
/// With `follow` the answer goes on until the container has stopped for good, over restarts by its policy.
#[utoipa::path(
    get, path = "/v1/tasks/{id}/containers/{name}/logs", operation_id = "readLogs", tag = "logs",
    params(
        ("id" = String, Path, pattern = "^[A-Za-z0-9_:/-]+$", description = "Task id, full ARN (percent-encoded), or the beginning of one id"),
        ("name" = String, Path, pattern = "^[A-Za-z0-9_~-]+$", description = "Container name"),
        ("follow" = Option<bool>, Query, description = "Go on until the container has stopped for good"),
        ("tail" = Option<u32>, Query, description = "Only the last lines; default all"),
        ("since" = Option<i64>, Query, description = "Only what was written from then on, in milliseconds since 1970 by Docker's clock"),
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
    let now = state.observe.clock.now();
    let range = OutputRange {
        follow: params.flag("follow"),
        tail: params.number("tail", 0..=MAX_TAIL),
        since: params.number("since", 0..=i64::MAX).map(UnixMillis),
    };
    let form = if params.flag("raw") {
        Form::Raw
    } else {
        Form::Lines
    };
    params.finish()?;
    let (name, known) = known_container(&task, now)?;
    let place = streams.enter()?;
    let subject = Subject {
        task: task.view.task.arn().clone(),
        container: name,
        known,
    };
    let (runtime, clock) = (Arc::clone(&state.runtime), Arc::clone(&state.observe.clock));
    let source = Source::open(runtime, clock, state.observe.engine.clone(), subject, range).await;
    let source = source.map_err(|error| no_output(&error))?;
    let output = Output {
        source: source.ok_or_else(|| not_created(&task, now))?,
        shutdown: shutdown.map_or_else(CancellationToken::new, |Extension(token)| token.0),
        form,
        _place: place,
    };
    let content_type = match form {
        Form::Lines => "application/x-ndjson",
        Form::Raw => "application/octet-stream",
    };
    let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(bytes(output))).into_response())
}

/// The container of the path and what is known of it.
fn known_container(
    task: &SelectedTask,
    now: UnixMillis,
) -> Result<(ContainerName, KnownContainer), Problem> {
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
    match known.containers.get(&name) {
        Some(container) => Ok((name, container.clone())),
        None => Err(not_created(task, now)),
    }
}

fn not_created(task: &SelectedTask, now: UnixMillis) -> Problem {
    let why = explain(&task.view, &task.snapshot.engine, now).headline;
    Problem::new(ProblemKind::ContainerNotCreated).detail(why)
}
