//! `PUT /v1/drain`: no new task starts, durably.

use axum::Json;
use axum::extract::State;

use crate::api::admin::error::refused;
use crate::api::admin::state::AdminState;
use crate::api::observe::draining::drain_state;
use crate::api::observe::draining::wire::DrainState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;
use crate::domain::reason::MAX_REASON_BYTES;

/// Drain the instance.
///
/// From the answer on no new task starts, also after a restart of the agent. Tasks that have started go on, as tasks
/// without a service do on an ECS container instance that is `DRAINING`; tasks that wait say so.
#[utoipa::path(
    put, path = "/v1/drain", operation_id = "startDrain", tag = "host",
    params(
        ("reason" = Option<String>, Query, description = "Why, shown with tasks that wait; at most 1024 bytes"),
    ),
    responses(
        (status = 200, body = DrainState, description = "It is durable; an instance that drains already is left as it is"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn start_drain(
    State(state): State<AdminState>,
    mut params: Params,
) -> Result<Json<DrainState>, Problem> {
    let reason = params.text("reason").unwrap_or_default();
    if reason.len() > MAX_REASON_BYTES {
        params.complain("reason", format!("is longer than {MAX_REASON_BYTES} bytes"));
    }
    params.finish()?;
    let observe = &state.observe;
    let drained = observe.engine.drain(reason.trim().to_owned()).await;
    drained.map_err(refused)?;
    Ok(Json(drain_state(
        &observe.engine.snapshot(),
        observe.clock.now(),
    )))
}
