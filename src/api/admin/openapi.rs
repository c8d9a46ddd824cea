//! The routes with their documentation. A route that is not here does not exist, so nothing is undocumented.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::draining::{__path_end_drain, __path_start_drain, end_drain, start_drain};
use super::logs::{__path_read_logs, read_logs};
use super::plan::{__path_plan_task, plan_task};
use super::state::Shared;
use super::tasks::{
    __path_create_task, __path_list_tasks, __path_put_task, __path_remove_task, __path_stop_task,
    create_task, list_tasks, put_task, remove_task, stop_task,
};
use crate::api::observe;

/// What is said of the API as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "berth admin API",
        version = "1",
        description = "Desired state of tasks on this host. Served on a Unix socket; errors are RFC 9457 problem \
                       documents whose `type` is `urn:berth:problem:<word>`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "The agent's socket")),
    tags(
        (name = "tasks", description = "Desired state in, tasks out"),
        (name = "why", description = "What tasks wait for"),
        (name = "events", description = "The durable timeline"),
        (name = "logs", description = "Container output"),
        (name = "plan", description = "What would be done"),
        (name = "host", description = "What the host has, and its images"),
        (name = "agent", description = "The agent itself"),
        (name = "probes", description = "For supervisors and load balancers"),
    ),
)]
struct Whole;

/// Every route with its documentation.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Whole::openapi())
        .routes(routes!(list_tasks, create_task))
        .routes(routes!(put_task, remove_task))
        .routes(routes!(stop_task))
        .routes(routes!(read_logs))
        .routes(routes!(plan_task))
        .routes(routes!(start_drain, end_drain))
        .routes(routes!(document))
        .merge(observe::routes())
}

/// The OpenAPI document of the admin API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

/// The document as it is committed in `openapi/admin.json`: indented, with a final line feed.
///
/// # Errors
/// None in practice: the document is plain data.
pub fn openapi_text() -> Result<String, serde_json::Error> {
    openapi().to_pretty_json().map(|text| text + "\n")
}

static TEXT: LazyLock<String> = LazyLock::new(|| openapi_text().unwrap_or_default());

/// Show this document.
#[utoipa::path(
    get, path = "/v1/openapi.json", operation_id = "openapi", tag = "agent",
    responses((status = 200, body = Object, description = "OpenAPI 3.1")),
)]
async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/admin.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        let fresh = openapi_text().expect("a document");
        assert!(
            committed == fresh,
            "openapi/admin.json is stale: run `make openapi`"
        );
    }
}
