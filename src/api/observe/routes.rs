//! The routes that every listener with a view of the agent has.

use axum::extract::FromRef;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::draining::{__path_show_drain, show_drain};
use super::events::{__path_read_events, read_events};
use super::files::{__path_show_files, show_files};
use super::health::{__path_health, health};
use super::images::{__path_show_images, show_images};
use super::metrics::{__path_metrics, metrics};
use super::probes::{__path_healthz, __path_livez, __path_readyz, healthz, livez, readyz};
use super::resources::{__path_show_resources, show_resources};
use super::settings::{__path_show_settings, show_settings};
use super::state::{ObserveState, Streams};
use super::task::{__path_get_task, get_task};
use super::usage::{__path_show_task_usage, __path_show_usage, show_task_usage, show_usage};
use super::why::{__path_why_all, __path_why_one, why_all, why_one};

/// The routes with their documentation, for whatever state holds what they need.
pub(in crate::api) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    ObserveState: FromRef<S>,
    Streams: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(get_task))
        .routes(routes!(why_one))
        .routes(routes!(why_all))
        .routes(routes!(read_events))
        .routes(routes!(show_resources))
        .routes(routes!(show_drain))
        .routes(routes!(show_usage))
        .routes(routes!(show_task_usage))
        .routes(routes!(show_images))
        .routes(routes!(show_files))
        .routes(routes!(show_settings))
        .routes(routes!(metrics))
        .routes(routes!(health))
        .routes(routes!(livez))
        .routes(routes!(readyz))
        .routes(routes!(healthz))
}
