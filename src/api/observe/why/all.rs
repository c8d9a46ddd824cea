//! `GET /v1/why`: every task that waits for something.

use axum::Json;
use axum::extract::State;

use super::view::{engine_wire, waiting, with_successor};
use super::wire::WhyList;
use crate::api::observe::files::wire::TaskFiles;
use crate::api::observe::state::ObserveState;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;
use crate::domain::ids::UnixMillis;
use crate::reconcile::snapshot::Snapshot;

/// Most tasks in one answer.
const MAX_TASKS: usize = 1_000;

/// Explain every task that waits.
///
/// Tasks that are not where they should be, and those that are but have something wrong with them.
#[utoipa::path(
    get, path = "/v1/why", operation_id = "whyAll", tag = "why",
    responses(
        (status = 200, body = WhyList, description = "Tasks that wait, without their timelines"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn why_all(
    State(state): State<ObserveState>,
    params: Params,
) -> Result<Json<WhyList>, Problem> {
    params.finish()?;
    let files = state.surroundings.task_files().unwrap_or_default();
    Ok(Json(list(
        &state.engine.snapshot(),
        &files,
        state.clock.now(),
    )))
}

pub(super) fn list(snapshot: &Snapshot, files: &TaskFiles, now: UnixMillis) -> WhyList {
    let engine = &snapshot.engine;
    let mut waiting = snapshot
        .tasks
        .values()
        .filter_map(|view| waiting(&with_successor(view, files), engine, now));
    let tasks: Vec<_> = waiting.by_ref().take(MAX_TASKS).collect();
    let left_off = waiting.count();
    let settled = snapshot
        .tasks
        .len()
        .saturating_sub(tasks.len())
        .saturating_sub(left_off);
    WhyList {
        now: now.into(),
        engine: engine_wire(engine),
        tasks,
        left_off,
        settled,
    }
}
