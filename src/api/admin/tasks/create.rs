//! `POST /v1/tasks`: run this task under a fresh id. Not idempotent; callers that may repeat themselves use `PUT`.

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;

use super::submit::{PutOptions, submit};
use super::wire::PutAnswer;
use crate::api::admin::state::AdminState;
use crate::api::problem::Problem;
use crate::api::wire::ProblemDocument;
use crate::domain::ids::TaskArn;

/// Run a task under an id that the agent chooses.
///
/// As `PUT /v1/tasks/{id}`, but each call is a new task.
#[utoipa::path(
    post, path = "/v1/tasks", operation_id = "createTask", tag = "tasks",
    params(
        ("networkAs" = Option<String>, Query, pattern = "^(bridge|host)$", description = "What `awsvpc` becomes: `bridge` or `host`"),
        ("ignoreCompatibilities" = Option<bool>, Query, description = "Run what requires FARGATE or the like"),
        ("familyHint" = Option<String>, Query, description = "Family, if the definition has none"),
        ("var.NAME" = Option<String>, Query, description = "Value of the placeholder NAME; any number of them"),
    ),
    request_body(content = Object, content_type = "application/json", description = "Task definition"),
    responses(
        (status = 201, body = PutAnswer, description = "The task is durable"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query or header"),
        (status = 413, body = ProblemDocument, content_type = "application/problem+json", description = "More than 10 MiB"),
        (status = 422, body = ProblemDocument, content_type = "application/problem+json", description = "The definition is refused; `errors` names each field"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn create_task(
    State(state): State<AdminState>,
    options: PutOptions,
    body: Bytes,
) -> Result<Response, Problem> {
    let arn = TaskArn::standalone(&state.observe.cluster, &state.ids.task_id());
    submit(&state, arn, options, body).await
}
