//! The handler of `GET /v1/usage`.

use axum::Json;
use axum::extract::State;

use super::view;
use super::wire::Usage;
use crate::api::observe::state::ObserveState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;

/// Show what the host and its tasks use.
///
/// Figures are read from the kernel every few seconds, not when they are asked for.
#[utoipa::path(
    get, path = "/v1/usage", operation_id = "showUsage", tag = "host",
    responses(
        (status = 200, body = Usage, description = "Usage"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn show_usage(
    State(state): State<ObserveState>,
    params: Params,
) -> Result<Json<Usage>, Problem> {
    params.finish()?;
    let latest = state.usage.latest();
    Ok(Json(Usage {
        now: state.clock.now().into(),
        read_at: latest.at.map(Into::into),
        host: latest.host.as_ref().map(view::host),
        history: view::points(&state.usage.host_history()),
        tasks: latest
            .tasks
            .iter()
            .map(|(arn, usage)| view::task(arn, usage))
            .collect(),
    }))
}
