//! `GET /v1/tasks/{id}/why`: one task explained, with its timeline.

use axum::Json;
use axum::extract::State;

use super::view::{engine_wire, why_task, with_successor};
use super::wire::WhyAnswer;
use crate::api::observe::select::SelectedTask;
use crate::api::observe::state::ObserveState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;
use crate::boundary::store::MAX_EVENTS_PER_TASK;

/// Entries of the timeline where the caller does not say: about a screen.
const DEFAULT_EVENTS: u32 = 20;

/// Explain a task.
///
/// One blocking condition first, then everything else that is known, then the end of the timeline; `/v1/events` has
/// the rest of it.
#[utoipa::path(
    get, path = "/v1/tasks/{id}/why", operation_id = "whyTask", tag = "why",
    params(
        ("id" = String, Path, pattern = "^[A-Za-z0-9_:/-]+$", description = "Task id, full ARN (percent-encoded), or the beginning of one id"),
        ("events" = Option<u32>, Query, minimum = 0, maximum = 500, description = "Entries of the timeline, 0 to 500, default 20; at most the last 64 are at hand"),
    ),
    responses(
        (status = 200, body = WhyAnswer, description = "Why the task is where it is"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = 404, body = ProblemDocument, content_type = "application/problem+json", description = "No such task"),
        (status = 409, body = ProblemDocument, content_type = "application/problem+json", description = "Several ids begin so; `candidates` names them"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn why_one(
    State(state): State<ObserveState>,
    task: SelectedTask,
    mut params: Params,
) -> Result<Json<WhyAnswer>, Problem> {
    let count = params
        .number("events", 0..=MAX_EVENTS_PER_TASK)
        .unwrap_or(DEFAULT_EVENTS);
    params.finish()?;
    let now = state.clock.now();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let timeline = task.view.timeline.last(count);
    let engine = &task.snapshot.engine;
    let files = state.surroundings.task_files().unwrap_or_default();
    let view = with_successor(&task.view, &files);
    Ok(Json(WhyAnswer {
        now: now.into(),
        engine: engine_wire(engine),
        task: why_task(&view, engine, now),
        timeline: timeline.map(Into::into).collect(),
        timeline_error: engine.timeline_error.clone(),
    }))
}
