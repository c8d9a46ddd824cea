//! `GET /readyz`: whether the agent can do its work, and what it waits for.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};

use super::check::{Check, CheckStatus, engine_checks};
use super::wire::{Readiness, ReadyStatus};
use crate::api::observe::state::ObserveState;
use crate::api::problem::{OwnBody, Problem};
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;

/// Show whether the agent is ready.
///
/// Ready means that no check fails: Docker answers, its containers have been listed, the state can be written, the
/// listeners listen. `waitingFor` names what fails.
#[utoipa::path(
    get, path = "/readyz", operation_id = "readyz", tag = "probes",
    responses(
        (status = 200, body = Readiness, description = "Ready"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = 503, body = Readiness, description = "Not ready; `waitingFor` says what for"),
    ),
)]
pub(in crate::api) async fn readyz(
    State(state): State<ObserveState>,
    params: Params,
) -> Result<(StatusCode, Extension<OwnBody>, Json<Readiness>), Problem> {
    params.finish()?;
    let checks = all_checks(&state);
    let failing = checks
        .iter()
        .filter(|check| check.status == CheckStatus::Fail);
    let waiting_for: Vec<String> = failing.map(|check| check.name.to_owned()).collect();
    let (code, status) = if waiting_for.is_empty() {
        (StatusCode::OK, ReadyStatus::Ready)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, ReadyStatus::NotReady)
    };
    let body = Readiness {
        api_version: "v1".to_owned(),
        status,
        waiting_for,
        checks: checks.iter().map(Into::into).collect(),
    };
    Ok((code, Extension(OwnBody), Json(body)))
}

/// Whether no check fails.
pub fn is_ready(state: &ObserveState) -> bool {
    let checks = all_checks(state);
    checks.iter().all(|check| check.status != CheckStatus::Fail)
}

/// The engine's checks and those of everything beside it.
pub(super) fn all_checks(state: &ObserveState) -> Vec<Check> {
    let mut checks = engine_checks(&state.engine.snapshot().engine, state.clock.now());
    checks.extend(state.surroundings.checks());
    checks
}
