//! `POST /v1/tasks/{id}/stop`: the wish to stop becomes durable; the stopping itself is watched elsewhere.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::wire::Accepted;
use crate::api::admin::error::refused;
use crate::api::admin::named::NamedTask;
use crate::api::admin::state::AdminState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;
use crate::domain::ids::TaskArn;
use crate::domain::reason::{MAX_REASON_BYTES, Reason, ReasonName};

/// Stop a task.
#[utoipa::path(
    post, path = "/v1/tasks/{id}/stop", operation_id = "stopTask", tag = "tasks",
    params(
        ("id" = String, Path, pattern = "^[A-Za-z0-9_:/-]+$", description = "Task id or full ARN (percent-encoded); no prefix"),
        ("reason" = Option<String>, Query, description = "Why, shown with the stopped task; at most 1024 bytes"),
    ),
    responses(
        (status = 202, body = Accepted, description = "The wish is durable; a task that stops already is left as it is"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query or id"),
        (status = 404, body = ProblemDocument, content_type = "application/problem+json", description = "No such task"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn stop_task(
    State(state): State<AdminState>,
    NamedTask(arn): NamedTask,
    params: Params,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let reason = reason(params, "stopped through the admin API")?;
    let generation = state
        .observe
        .engine
        .stop(&arn, reason)
        .await
        .map_err(refused)?;
    Ok((StatusCode::ACCEPTED, Json(accepted(&arn, generation.0))))
}

/// The caller's reason, or the default one.
pub(super) fn reason(mut params: Params, default: &str) -> Result<Reason, Problem> {
    let given = params.text("reason").filter(|text| !text.trim().is_empty());
    if given
        .as_ref()
        .is_some_and(|text| text.len() > MAX_REASON_BYTES)
    {
        params.complain("reason", format!("is longer than {MAX_REASON_BYTES} bytes"));
    }
    params.finish()?;
    let message = given.unwrap_or_else(|| default.to_owned());
    Ok(Reason::new(ReasonName::UserInitiated, message))
}

/// The answer to a stop or a removal.
pub(super) fn accepted(arn: &TaskArn, generation: u64) -> Accepted {
    Accepted {
        task_arn: arn.to_string(),
        task_id: arn.task_id().to_string(),
        generation,
    }
}
