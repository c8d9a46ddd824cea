//! The handler of `GET /v1/tasks/{id}/usage`.

use axum::Json;
use axum::extract::State;

use super::view;
use super::wire::TaskUsageAnswer;
use crate::api::observe::select::SelectedTask;
use crate::api::observe::state::ObserveState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;

/// Show what a task uses, and used in the last hour.
#[utoipa::path(
    get, path = "/v1/tasks/{id}/usage", operation_id = "showTaskUsage", tag = "tasks",
    params(("id" = String, Path, pattern = "^[A-Za-z0-9_:/-]+$", description = "Task id, full ARN (percent-encoded), or the beginning of one id")),
    responses(
        (status = 200, body = TaskUsageAnswer, description = "Usage"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = 404, body = ProblemDocument, content_type = "application/problem+json", description = "No such task"),
        (status = 409, body = ProblemDocument, content_type = "application/problem+json", description = "Several ids begin so; `candidates` names them"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn show_task_usage(
    State(state): State<ObserveState>,
    task: SelectedTask,
    params: Params,
) -> Result<Json<TaskUsageAnswer>, Problem> {
    params.finish()?;
    let arn = task.view.task.arn();
    let latest = state.usage.latest();
    let history = state.usage.history(arn);
    Ok(Json(TaskUsageAnswer {
        now: state.clock.now().into(),
        read_at: latest.at.map(Into::into),
        usage: latest.tasks.get(arn).map(|usage| view::task(arn, usage)),
        history: history.as_ref().map(view::points).unwrap_or_default(),
    }))
}
