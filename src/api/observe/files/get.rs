//! The handler of `GET /v1/files`.

use axum::Json;
use axum::extract::State;

use super::wire::TaskFiles;
use crate::api::observe::state::ObserveState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;

/// Show the watched directory.
///
/// Each file with where its task stands and what is wrong with the file as it is now.
#[utoipa::path(
    get, path = "/v1/files", operation_id = "showFiles", tag = "agent",
    responses(
        (status = 200, body = TaskFiles, description = "The files; without `directory` none is watched"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn show_files(
    State(state): State<ObserveState>,
    params: Params,
) -> Result<Json<TaskFiles>, Problem> {
    params.finish()?;
    Ok(Json(state.surroundings.task_files().unwrap_or_default()))
}
