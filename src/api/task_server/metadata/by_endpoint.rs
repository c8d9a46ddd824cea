//! What versions 3 and 4 have alike, for the container whose endpoint id is in the path: statistics and associations.
//! They differ in their number, in the form of statistics and in statuses ([`Dialect`]).

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;

use super::answer::{body, error, no_task};
use super::stats::{Form, of_container, of_task};
use super::{MetadataState, associations};

/// How a version answers.
#[derive(Clone, Copy)]
pub(super) struct Dialect {
    /// Number of the version, in paths and words.
    pub(super) version: char,
    /// Form of statistics.
    pub(super) form: Form,
    /// Status of statistics for an id that nobody has.
    pub(super) unknown: StatusCode,
    /// Status where nothing is sampled.
    pub(super) untracked: StatusCode,
}

/// The routes that are alike.
pub(super) fn routes(dialect: Dialect) -> Router<MetadataState> {
    let of = |rest: &str| format!("/v{}/{{id}}/{rest}", dialect.version);
    let version = dialect.version;
    Router::new()
        .route(
            &of("stats"),
            any(
                async move |State(state): State<MetadataState>, Path(id): Path<String>| {
                    container_stats(dialect, &state, &id)
                },
            ),
        )
        .route(
            &of("task/stats"),
            any(
                async move |State(state): State<MetadataState>, Path(id): Path<String>| {
                    task_stats(dialect, &state, &id)
                },
            ),
        )
        .route(
            &of("associations/{kind}"),
            any(
                async move |State(state): State<MetadataState>,
                            Path((id, kind)): Path<(String, String)>| {
                    associations::list(&state, version, &id, &kind)
                },
            ),
        )
        .route(
            // A path parameter is never empty, so that an empty name is a route of its own.
            &of("associations/{kind}/"),
            any(
                async move |State(state): State<MetadataState>,
                            Path((id, kind)): Path<(String, String)>| {
                    associations::one(&state, version, &id, (&kind, ""))
                },
            ),
        )
        .route(
            &of("associations/{kind}/{name}"),
            any(
                async move |State(state): State<MetadataState>,
                            Path((id, kind, name)): Path<(String, String, String)>| {
                    associations::one(&state, version, &id, (&kind, &name))
                },
            ),
        )
}

fn container_stats(dialect: Dialect, state: &MetadataState, id: &str) -> Response {
    let indexed = state.views.now();
    let found = indexed
        .endpoint(id)
        .and_then(|(entry, name)| entry.seen().container(name));
    let Some(container) = found else {
        return unknown(dialect, "container", id);
    };
    if let Some(bytes) = of_container(state.stats.as_ref(), container, dialect.form) {
        body(bytes)
    } else {
        let docker_id = container.docker_id.as_ref().map_or("", |id| id.as_str());
        let words = format!("Unable to get container stats for: {docker_id}");
        error(dialect.untracked, words)
    }
}

fn task_stats(dialect: Dialect, state: &MetadataState, id: &str) -> Response {
    let indexed = state.views.now();
    let Some((entry, _)) = indexed.endpoint(id) else {
        return unknown(dialect, "task", id);
    };
    if let Some(bytes) = of_task(state.stats.as_ref(), entry.seen(), dialect.form) {
        body(bytes)
    } else {
        let words = format!("Unable to get task stats for: {}", entry.seen().arn);
        error(dialect.untracked, words)
    }
}

fn unknown(dialect: Dialect, of: &str, id: &str) -> Response {
    let words = format!(
        "V{} {of} stats handler: unable to get task arn from request: {}",
        dialect.version,
        no_task(id)
    );
    error(dialect.unknown, words)
}
