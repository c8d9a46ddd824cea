//! The handler of `GET /v1/config`.

use axum::Json;
use axum::extract::State;

use super::wire::SettingsAnswer;
use crate::api::observe::state::ObserveState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;

/// Show the settings in force.
///
/// With where each came from. A secret is never shown, only that it is set.
#[utoipa::path(
    get, path = "/v1/config", operation_id = "showSettings", tag = "agent",
    responses(
        (status = 200, body = SettingsAnswer, description = "Settings, and what was given and does not count"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn show_settings(
    State(state): State<ObserveState>,
    params: Params,
) -> Result<Json<SettingsAnswer>, Problem> {
    params.finish()?;
    Ok(Json(SettingsAnswer::clone(&state.settings)))
}
