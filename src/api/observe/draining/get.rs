//! The handler of `GET /v1/drain`.

use axum::Json;
use axum::extract::State;

use super::view::drain_state;
use super::wire::DrainState;
use crate::api::observe::state::ObserveState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;

/// Show whether new tasks start on this instance.
///
/// An instance that drains starts no new task; those that have started go on until they end or are stopped.
#[utoipa::path(
    get, path = "/v1/drain", operation_id = "showDrain", tag = "host",
    responses(
        (status = 200, body = DrainState, description = "Whether it drains, and what is left on it"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn show_drain(
    State(state): State<ObserveState>,
    params: Params,
) -> Result<Json<DrainState>, Problem> {
    params.finish()?;
    Ok(Json(drain_state(
        &state.engine.snapshot(),
        state.clock.now(),
    )))
}
