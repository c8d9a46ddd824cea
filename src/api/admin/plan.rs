//! `POST /v1/plan`: what this host would do with a task definition. Changes nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;

use super::state::{AdminState, PlanOptions, PlanReport, PlanStep};
use super::tasks::{definition_problem, field_errors, network_as};
use super::wire::{Finding, PlanAnswer, Step};
use crate::api::problem::{Problem, ProblemKind};
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;
use crate::definition::Severity;
use crate::domain::fit::{Effect, FitFinding};
use crate::domain::task::TaskOptions;

/// Show what a task definition would become on this host.
///
/// Every runtime call in order, and every field that would be changed, ignored or refused. Nothing is started.
#[utoipa::path(
    post, path = "/v1/plan", operation_id = "planTask", tag = "plan",
    params(
        ("networkAs" = Option<String>, Query, pattern = "^(bridge|host)$", description = "What `awsvpc` becomes: `bridge` or `host`"),
        ("ignoreCompatibilities" = Option<bool>, Query, description = "Run what requires FARGATE or the like"),
        ("familyHint" = Option<String>, Query, description = "Family, if the definition has none"),
        ("var.NAME" = Option<String>, Query, description = "Value of the placeholder NAME; any number of them"),
    ),
    request_body(content = Object, content_type = "application/json", description = "Task definition"),
    responses(
        (status = 200, body = PlanAnswer, description = "The plan; `runs` says whether the task would run"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = 413, body = ProblemDocument, content_type = "application/problem+json", description = "More than 10 MiB"),
        (status = 422, body = ProblemDocument, content_type = "application/problem+json", description = "The text is no task definition; `errors` names each field"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(super) async fn plan_task(
    State(state): State<AdminState>,
    params: Params,
    body: Bytes,
) -> Result<Json<PlanAnswer>, Problem> {
    let options = options(params)?;
    let planner = Arc::clone(&state.planner);
    let report = tokio::task::spawn_blocking(move || planner.plan(&body, &options))
        .await
        .map_err(|error| Problem::new(ProblemKind::Internal).because(&error))?
        .map_err(|rejected| definition_problem(&rejected))?;
    Ok(Json(report.into()))
}

fn options(mut params: Params) -> Result<PlanOptions, Problem> {
    let options = PlanOptions {
        task: TaskOptions {
            network_as: network_as(&mut params),
            ignore_compatibilities: params.flag("ignoreCompatibilities"),
        },
        variables: params.prefixed("var."),
        family_hint: params.text("familyHint"),
    };
    params.finish()?;
    Ok(options)
}

impl From<PlanReport> for PlanAnswer {
    fn from(report: PlanReport) -> Self {
        let refused = |finding: &FitFinding| finding.effect == Effect::Refused;
        Self {
            family: report.family,
            revision: report.revision,
            runs: !report.findings.iter().any(refused),
            warnings: field_errors(&report.warnings, Severity::Warning),
            findings: report.findings.into_iter().map(Into::into).collect(),
            steps: report.steps.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<FitFinding> for Finding {
    fn from(finding: FitFinding) -> Self {
        Self {
            path: finding.path,
            effect: finding.effect.to_string(),
            message: finding.message,
        }
    }
}

impl From<PlanStep> for Step {
    fn from(step: PlanStep) -> Self {
        Self {
            container: step.container,
            after: step.after,
            call: step.call,
            note: step.note,
            body: step.body,
        }
    }
}
