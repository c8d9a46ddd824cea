//! `GET /livez`: whether the engine's loop turns. Says nothing about Docker, disk or network.

use std::time::Duration;

use axum::extract::State;

use crate::api::observe::state::ObserveState;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;

/// Longest time between two turns of a loop that lives: it turns every five seconds where nothing happens, and waits
/// for nothing but the store, which gives up within this.
const LONGEST_TURN: Duration = Duration::from_secs(30);

/// Show that the agent lives.
///
/// 200 as long as the engine's loop turns, also while Docker is away. A supervisor may restart the agent otherwise:
/// running containers are left alone by that.
#[utoipa::path(
    get, path = "/livez", operation_id = "livez", tag = "probes",
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "`ok`"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The engine's loop stands still"),
    ),
)]
pub(in crate::api) async fn livez(
    State(state): State<ObserveState>,
    params: Params,
) -> Result<&'static str, Problem> {
    params.finish()?;
    let turned = state.engine.turned_at();
    // An engine that still reads its rows has not turned yet, and lives.
    let age = turned.map(|at| state.clock.now().since(at));
    if age.is_some_and(|age| age > LONGEST_TURN) {
        return Err(Problem::new(ProblemKind::StandsStill));
    }
    Ok("ok\n")
}
