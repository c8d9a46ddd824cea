//! The handler of `GET /v1/images`.

use axum::Json;
use axum::extract::State;

use super::view::images;
use super::wire::Images;
use crate::api::observe::state::ObserveState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;

/// Show images.
///
/// Those that tasks use or used, those being pulled, and those of others that the last clean-up found; each with why
/// it is kept.
#[utoipa::path(
    get, path = "/v1/images", operation_id = "showImages", tag = "host",
    responses(
        (status = 200, body = Images, description = "Images by name"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn show_images(
    State(state): State<ObserveState>,
    params: Params,
) -> Result<Json<Images>, Problem> {
    params.finish()?;
    let inventory = state.images.inventory();
    let snapshot = state.engine.snapshot();
    Ok(Json(images(&snapshot, inventory, state.clock.now())))
}
