//! `DELETE /v1/drain`: tasks start again, durably.

use axum::Json;
use axum::extract::State;

use crate::api::admin::error::refused;
use crate::api::admin::state::AdminState;
use crate::api::observe::draining::drain_state;
use crate::api::observe::draining::wire::DrainState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;

/// End the draining.
///
/// Tasks that waited for it start in the order of their arrival.
#[utoipa::path(
    delete, path = "/v1/drain", operation_id = "endDrain", tag = "host",
    responses(
        (status = 200, body = DrainState, description = "It is durable; an instance that does not drain is left as it is"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn end_drain(
    State(state): State<AdminState>,
    params: Params,
) -> Result<Json<DrainState>, Problem> {
    params.finish()?;
    let observe = &state.observe;
    observe.engine.end_draining().await.map_err(refused)?;
    Ok(Json(drain_state(
        &observe.engine.snapshot(),
        observe.clock.now(),
    )))
}
