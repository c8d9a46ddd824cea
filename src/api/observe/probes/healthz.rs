//! `GET /healthz`: how the agent is, with the age of each thing it knows.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};

use super::check::CheckStatus;
use super::readyz::all_checks;
use super::wire::{Ages, HealthReport};
use crate::api::observe::state::ObserveState;
use crate::api::observe::why::engine_wire;
use crate::api::problem::{OwnBody, Problem};
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;
use crate::domain::ids::UnixMillis;

/// Show how the agent is.
///
/// With the ages of the last full list of containers, the last answer of Docker, the last commit and, in connected
/// mode, the last message of ECS. 503 while a check fails; a check that only warns does not change the status.
#[utoipa::path(
    get, path = "/healthz", operation_id = "healthz", tag = "probes",
    responses(
        (status = 200, body = HealthReport, description = "No check fails"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = 503, body = HealthReport, description = "A check fails"),
    ),
)]
pub(in crate::api) async fn healthz(
    State(state): State<ObserveState>,
    params: Params,
) -> Result<(StatusCode, Extension<OwnBody>, Json<HealthReport>), Problem> {
    params.finish()?;
    let now = state.clock.now();
    let snapshot = state.engine.snapshot();
    let engine = &snapshot.engine;
    let checks = all_checks(&state);
    let worst = checks.iter().map(|check| check.status).max();
    let worst = worst.unwrap_or(CheckStatus::Pass);
    let code = match worst {
        CheckStatus::Fail => StatusCode::SERVICE_UNAVAILABLE,
        CheckStatus::Pass | CheckStatus::Warn => StatusCode::OK,
    };
    let age = |at: Option<UnixMillis>| at.map(|at| now.since(at).as_secs());
    let report = HealthReport {
        api_version: "v1".to_owned(),
        now: now.into(),
        status: worst.as_str().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        cluster: state.cluster.to_string(),
        tasks: snapshot.tasks.len(),
        ages: Ages {
            engine_seconds: age(state.engine.turned_at()),
            relist_seconds: age(engine.relisted_at),
            docker_seconds: age(engine.runtime_answered_at),
            commit_seconds: age(engine.committed_at),
            control_plane_seconds: age(state.surroundings.control_plane_heard_at()),
        },
        engine: engine_wire(engine),
        checks: checks.iter().map(Into::into).collect(),
    };
    Ok((code, Extension(OwnBody), Json(report)))
}
