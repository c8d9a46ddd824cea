//! What `PUT` and `POST` of a task share: options, reading the definition, and the answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::wire::{PutAnswer, PutResult};
use crate::api::admin::error::refused;
use crate::api::admin::state::{AdminState, Shared};
use crate::api::problem::{Problem, ProblemKind};
use crate::api::query::Params;
use crate::api::wire::FieldError;
use crate::definition::{Finding, ParseOptions, Parsed, Rejected, Severity, parse};
use crate::domain::definition::NetworkMode;
use crate::domain::ids::{Generation, TaskArn};
use crate::domain::task::{Origin, TaskOptions};
use crate::reconcile::handle::{PutOutcome, PutTask};

/// How a task is to be put: query and headers.
#[derive(Debug)]
pub(in crate::api) struct PutOptions {
    task: TaskOptions,
    variables: BTreeMap<String, String>,
    family_hint: Option<String>,
    expected_generation: Option<Generation>,
}

impl FromRequestParts<Shared> for PutOptions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let mut params = Params::from_request_parts(parts, shared).await?;
        let options = Self {
            task: TaskOptions {
                network_as: network_as(&mut params),
                ignore_compatibilities: params.flag("ignoreCompatibilities"),
            },
            variables: params.prefixed("var."),
            family_hint: params.text("familyHint"),
            expected_generation: if_match(&parts.headers)?,
        };
        params.finish()?;
        Ok(options)
    }
}

/// The mode that `awsvpc` becomes.
pub(in crate::api) fn network_as(params: &mut Params) -> Option<NetworkMode> {
    let read = |text: &str| match text {
        "bridge" => Some(NetworkMode::Bridge),
        "host" => Some(NetworkMode::Host),
        _ => None,
    };
    params.choice("networkAs", read, "bridge and host")
}

fn if_match(headers: &HeaderMap) -> Result<Option<Generation>, Problem> {
    let Some(value) = headers.get(IF_MATCH) else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .and_then(|text| {
            text.trim()
                .strip_prefix('"')?
                .strip_suffix('"')?
                .parse()
                .ok()
        })
        .map(|number| Some(Generation(number)))
        .ok_or_else(|| {
            Problem::field(
                "header.If-Match",
                "must be one generation in quotes, such as \"3\"",
            )
        })
}

/// Reads the definition, hands it to the engine and answers once it is durable.
pub(super) async fn submit(
    state: &AdminState,
    arn: TaskArn,
    options: PutOptions,
    body: Bytes,
) -> Result<Response, Problem> {
    let parse_options = ParseOptions {
        variables: options.variables,
        family_hint: options.family_hint,
    };
    let parsed = read(body, parse_options).await?;
    let outcome = state.observe.engine.put(PutTask {
        arn: arn.clone(),
        definition: Arc::new(parsed.definition),
        options: options.task,
        origin: Origin::Api,
        expected_generation: options.expected_generation,
    });
    let outcome = outcome.await.map_err(refused)?;
    Ok(answer(&arn, outcome, &parsed.warnings))
}

/// Off the runtime's threads: ten MiB take their time.
async fn read(body: Bytes, options: ParseOptions) -> Result<Parsed, Problem> {
    tokio::task::spawn_blocking(move || parse(&body, &options))
        .await
        .map_err(|error| Problem::new(ProblemKind::Internal).because(&error))?
        .map_err(|rejected| definition_problem(&rejected))
}

/// A refused definition with every complaint.
pub(in crate::api) fn definition_problem(rejected: &Rejected) -> Problem {
    let errors: Vec<FieldError> = field_errors(&rejected.findings, Severity::Error);
    let detail = match errors.len() {
        1 => "it has one error".to_owned(),
        count => format!("it has {count} errors"),
    };
    Problem::new(ProblemKind::DefinitionRefused)
        .detail(detail)
        .errors(errors)
}

/// The findings of that severity.
pub(in crate::api) fn field_errors(findings: &[Finding], severity: Severity) -> Vec<FieldError> {
    let those = findings
        .iter()
        .filter(|finding| finding.severity == severity);
    let wire = those.map(|finding| FieldError {
        path: finding.path.clone(),
        message: finding.message.clone(),
    });
    wire.collect()
}

fn answer(arn: &TaskArn, outcome: PutOutcome, warnings: &[Finding]) -> Response {
    let (status, generation, outcome) = match outcome {
        PutOutcome::Created(generation) => (StatusCode::CREATED, generation, PutResult::Created),
        PutOutcome::Unchanged(generation) => (StatusCode::OK, generation, PutResult::Unchanged),
    };
    let body = PutAnswer {
        task_arn: arn.to_string(),
        task_id: arn.task_id().to_string(),
        generation: generation.0,
        outcome,
        warnings: field_errors(warnings, Severity::Warning),
    };
    let headers: [(HeaderName, String); 2] = [
        (ETAG, format!("\"{generation}\"")),
        (LOCATION, format!("/v1/tasks/{}", arn.task_id())),
    ];
    (status, headers, Json(body)).into_response()
}
