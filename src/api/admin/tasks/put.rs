//! `PUT /v1/tasks/{id}`: run this task. Idempotent: the caller chose the id, so a repeated call is the same call.

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;

use super::submit::{PutOptions, submit};
use super::wire::PutAnswer;
use crate::api::admin::named::NamedTask;
use crate::api::admin::state::AdminState;
use crate::api::problem::Problem;
use crate::api::wire::ProblemDocument;

/// Run a task under an id of your choice.
///
/// The body is the JSON of register-task-definition, also as describe-task-definition gives it. The answer comes
/// when the task is durable. The same id with the same content changes nothing; with other content it is refused:
/// a task's definition never changes.
#[utoipa::path(
    put, path = "/v1/tasks/{id}", operation_id = "putTask", tag = "tasks",
    params(
        ("id" = String, Path, pattern = "^[A-Za-z0-9_:/-]+$", description = "Task id (letters, digits, `-`, `_`) or full ARN, percent-encoded"),
        ("networkAs" = Option<String>, Query, pattern = "^(bridge|host)$", description = "What `awsvpc` becomes: `bridge` or `host`"),
        ("ignoreCompatibilities" = Option<bool>, Query, description = "Run what requires FARGATE or the like"),
        ("familyHint" = Option<String>, Query, description = "Family, if the definition has none"),
        ("var.NAME" = Option<String>, Query, description = "Value of the placeholder NAME; any number of them"),
        ("If-Match" = Option<String>, Header, pattern = "^\"[0-9]{1,18}\"$", description = "Generation in quotes: refuse if the task is at another"),
    ),
    request_body(content = Object, content_type = "application/json", description = "Task definition"),
    responses(
        (status = 201, body = PutAnswer, description = "The task is new"),
        (status = 200, body = PutAnswer, description = "The task was there with the same content"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query, header or id"),
        (status = 409, body = ProblemDocument, content_type = "application/problem+json", description = "The task exists with another definition"),
        (status = 412, body = ProblemDocument, content_type = "application/problem+json", description = "The task is at another generation, or is not there: `If-Match` asks for one that is"),
        (status = 413, body = ProblemDocument, content_type = "application/problem+json", description = "More than 10 MiB"),
        (status = 422, body = ProblemDocument, content_type = "application/problem+json", description = "The definition is refused; `errors` names each field"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn put_task(
    State(state): State<AdminState>,
    NamedTask(arn): NamedTask,
    options: PutOptions,
    body: Bytes,
) -> Result<Response, Problem> {
    submit(&state, arn, options, body).await
}
