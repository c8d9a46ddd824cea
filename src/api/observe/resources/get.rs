//! The handler of `GET /v1/resources`.

use axum::Json;
use axum::extract::State;

use super::view::resources;
use super::wire::Resources;
use crate::api::observe::state::ObserveState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;

/// Show what the host has and who holds it.
///
/// CPU, memory, ports and disk: in all, reserved by whom, free; and the tasks that wait, in the order in which they
/// are served, with what each is short of.
#[utoipa::path(
    get, path = "/v1/resources", operation_id = "showResources", tag = "host",
    responses(
        (status = 200, body = Resources, description = "The host's resources"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn show_resources(
    State(state): State<ObserveState>,
    params: Params,
) -> Result<Json<Resources>, Problem> {
    params.finish()?;
    let snapshot = state.engine.snapshot();
    let shelf = state.images.inventory();
    Ok(Json(resources(&snapshot, &shelf, state.clock.now())))
}
