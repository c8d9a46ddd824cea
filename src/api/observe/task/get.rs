//! `GET /v1/tasks/{id}`: one task in full.

use axum::Json;
use axum::extract::State;
use axum::http::header::ETAG;
use axum::response::IntoResponse;

use super::view::detail;
use super::wire::TaskDetail;
use crate::api::observe::select::SelectedTask;
use crate::api::observe::state::ObserveState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;

/// Show a task.
#[utoipa::path(
    get, path = "/v1/tasks/{id}", operation_id = "getTask", tag = "tasks",
    params(("id" = String, Path, pattern = "^[A-Za-z0-9_:/-]+$", description = "Task id, full ARN (percent-encoded), or the beginning of one id")),
    responses(
        (status = 200, body = TaskDetail, description = "The task; its generation is also in `ETag`"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = 404, body = ProblemDocument, content_type = "application/problem+json", description = "No such task"),
        (status = 409, body = ProblemDocument, content_type = "application/problem+json", description = "Several ids begin so; `candidates` names them"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn get_task(
    State(state): State<ObserveState>,
    task: SelectedTask,
    params: Params,
) -> Result<impl IntoResponse, Problem> {
    params.finish()?;
    let detail = detail(&task.view, &task.snapshot.engine, state.clock.now());
    let etag = format!("\"{}\"", detail.desired.generation);
    Ok(([(ETAG, etag)], Json(detail)))
}
