//! `GET /v1/tasks/{id}/why`: one task explained, with its timeline.

use axum::Json;
use axum::extract::State;

use super::view::{engine_wire, why_task};
use super::wire::WhyAnswer;
use crate::api::admin::events::last_events;
use crate::api::admin::select::SelectedTask;
use crate::api::admin::state::AdminState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;
use crate::boundary::store::MAX_EVENTS_PER_TASK;
use crate::error::ErrorChain;

/// Entries of the timeline where the caller does not say: about a screen.
const DEFAULT_EVENTS: u32 = 20;

/// Explain a task.
///
/// One blocking condition first, then everything else that is known, then the timeline. If the timeline cannot be
/// read the rest is given without it.
#[utoipa::path(
    get, path = "/v1/tasks/{id}/why", operation_id = "whyTask", tag = "why",
    params(
        ("id" = String, Path, description = "Task id, full ARN (percent-encoded), or the beginning of one id"),
        ("events" = Option<u32>, Query, description = "Entries of the timeline, 0 to 500, default 20"),
    ),
    responses(
        (status = 200, body = WhyAnswer, description = "Why the task is where it is"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = 404, body = ProblemDocument, content_type = "application/problem+json", description = "No such task"),
        (status = 409, body = ProblemDocument, content_type = "application/problem+json", description = "Several ids begin so; `candidates` names them"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api::admin) async fn why_one(
    State(state): State<AdminState>,
    task: SelectedTask,
    mut params: Params,
) -> Result<Json<WhyAnswer>, Problem> {
    let count = params
        .number("events", 0..=MAX_EVENTS_PER_TASK)
        .unwrap_or(DEFAULT_EVENTS);
    params.finish()?;
    let now = state.clock.now();
    let (timeline, timeline_error) = match last_events(
        state.store.as_ref(),
        task.view.task.arn(),
        count,
    )
    .await
    {
        Ok(events) => (events, None),
        Err(error) => {
            let words = ErrorChain(&error).to_string();
            tracing::warn!(task.arn = %task.view.task.arn(), error = %words, "the timeline cannot be read");
            (
                Vec::new(),
                Some("the event log cannot be read now".to_owned()),
            )
        }
    };
    let engine = &task.snapshot.engine;
    Ok(Json(WhyAnswer {
        now: now.into(),
        engine: engine_wire(engine),
        task: why_task(&task.view, engine, now),
        timeline,
        timeline_error,
    }))
}
