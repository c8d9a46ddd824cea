//! `GET /v1/health`: that the agent answers, and what around it does not.

use axum::Json;
use axum::extract::State;

use super::probes::{Check, CheckStatus};
use super::state::ObserveState;
use super::why::engine_wire;
use super::wire::{Health, HealthStatus};
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;
use crate::reconcile::snapshot::EngineView;

/// Show how the agent is.
///
/// 200 as long as the agent answers; `status` and `troubles` say whether all is well.
#[utoipa::path(
    get, path = "/v1/health", operation_id = "health", tag = "agent",
    responses(
        (status = 200, body = Health, description = "The agent answers"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn health(
    State(state): State<ObserveState>,
    params: Params,
) -> Result<Json<Health>, Problem> {
    params.finish()?;
    let snapshot = state.engine.snapshot();
    let mut troubles = troubles(&snapshot.engine);
    troubles.extend(beside(&state.surroundings.checks()));
    let status = if troubles.is_empty() {
        HealthStatus::Ok
    } else {
        HealthStatus::Degraded
    };
    Ok(Json(Health {
        now: state.clock.now().into(),
        status,
        troubles,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        cluster: state.cluster.to_string(),
        tasks: snapshot.tasks.len(),
        engine: engine_wire(&snapshot.engine),
    }))
}

fn troubles(engine: &EngineView) -> Vec<String> {
    let mut troubles = Vec::new();
    match &engine.runtime_error {
        Some(error) => troubles.push(format!("Docker does not answer: {error}")),
        None if engine.host.is_none() => troubles.push("Docker has not answered yet".to_owned()),
        None => {}
    }
    if let Some(error) = &engine.list_error {
        troubles.push(format!("Docker does not list its containers: {error}"));
    }
    if let Some(error) = &engine.store_error {
        troubles.push(format!("the state cannot be written: {error}"));
    }
    troubles.extend(
        engine
            .damage
            .iter()
            .map(|line| format!("set aside at start: {line}")),
    );
    troubles
}

/// What is wrong beside the engine: listeners, the host's set-up, task files, the way to ECS.
fn beside(checks: &[Check]) -> impl Iterator<Item = String> {
    let wrong = checks
        .iter()
        .filter(|check| check.status != CheckStatus::Pass);
    wrong.map(|check| format!("{}: {}", check.name, check.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_is_told() {
        let engine = EngineView {
            list_error: Some("no answer".to_owned()),
            store_error: Some("disk full".to_owned()),
            damage: vec!["row 7".to_owned()],
            ..EngineView::default()
        };
        let expected = [
            "Docker has not answered yet",
            "Docker does not list its containers: no answer",
            "the state cannot be written: disk full",
            "set aside at start: row 7",
        ];
        assert_eq!(troubles(&engine), expected);
    }
}
