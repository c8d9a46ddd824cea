//! `DELETE /v1/tasks/{id}`: the wish to stop and to remove everything of a task becomes durable.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::stop::{accepted, reason};
use super::wire::Accepted;
use crate::api::admin::error::refused;
use crate::api::admin::named::NamedTask;
use crate::api::admin::state::AdminState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;

/// Stop a task and remove everything of it.
#[utoipa::path(
    delete, path = "/v1/tasks/{id}", operation_id = "removeTask", tag = "tasks",
    params(
        ("id" = String, Path, pattern = "^[A-Za-z0-9_:/-]+$", description = "Task id or full ARN (percent-encoded); no prefix"),
        ("reason" = Option<String>, Query, description = "Why, shown while the task stops; at most 1024 bytes"),
    ),
    responses(
        (status = 202, body = Accepted, description = "The wish is durable; the task is gone when `GET` says 404"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query or id"),
        (status = 404, body = ProblemDocument, content_type = "application/problem+json", description = "No such task"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn remove_task(
    State(state): State<AdminState>,
    NamedTask(arn): NamedTask,
    params: Params,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let reason = reason(params, "removed through the admin API")?;
    let generation = state
        .observe
        .engine
        .remove(&arn, reason)
        .await
        .map_err(refused)?;
    Ok((StatusCode::ACCEPTED, Json(accepted(&arn, generation.0))))
}
