//! The handler of `GET /metrics`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::api::observe::state::ObserveState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;

/// Show figures.
///
/// In the text format of Prometheus, or as `OpenMetrics` if `Accept` names it.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "agent",
    params(("Accept" = Option<String>, Header, description = "`application/openmetrics-text` for OpenMetrics")),
    responses(
        (status = 200, description = "One line a series",
            content((String = "text/plain"), (String = "application/openmetrics-text"))),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn metrics(
    State(state): State<ObserveState>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let (content_type, text) = state.figures.text(accept);
    Ok(([(CONTENT_TYPE, content_type)], text).into_response())
}
