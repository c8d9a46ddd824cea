//! What the introspection listener answers beyond the classic paths, as one router, and its document.
//!
//! Not here: the classic paths, which have bodies and errors of their own, and the listener.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::extract::{FromRef, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use utoipa::{Modify, OpenApi, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::docs::{
    __path_docs, __path_docs_script, __path_docs_style, docs, docs_script, docs_style,
};
use super::guard::{Access, guard};
use super::state::{ObserveState, Streams};
use crate::api::problem::{dress, panicked};
use crate::api::ui::ui_routes;
use crate::boundary::Ids;

/// Event streams open at once. An idle one costs a connection's buffers, less than 20 KiB.
pub const MAX_READERS: usize = 1_024;

/// From the request's head to the answer's head. Answers are made in memory; only the past of events is read.
const DEADLINE: Duration = Duration::from_secs(10);

/// What is said of the API as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "berth introspection API",
        version = "1",
        description = "What the agent knows, beside the classic paths of ECS agents (`/v1/metadata`, `/v1/tasks`, \
                       `/license`). Read only. Errors are RFC 9457 problem documents whose `type` is \
                       `urn:berth:problem:<word>`. Answered to programs on this host only: a request with `Origin`, \
                       or with a `Host` that is neither an address nor `localhost`, gets 403.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "http://localhost:51678", description = "The introspection listener")),
    tags(
        (name = "tasks", description = "Tasks as they are"),
        (name = "why", description = "What tasks wait for"),
        (name = "events", description = "The durable timeline"),
        (name = "host", description = "What the host has, and its images"),
        (name = "agent", description = "The agent itself"),
        (name = "probes", description = "For supervisors and load balancers"),
    ),
)]
struct Whole;

/// What handlers take their parts from.
#[derive(Clone)]
struct Shared {
    state: ObserveState,
    streams: Streams,
}

impl FromRef<Shared> for ObserveState {
    fn from_ref(shared: &Shared) -> Self {
        shared.state.clone()
    }
}

impl FromRef<Shared> for Streams {
    fn from_ref(shared: &Shared) -> Self {
        shared.streams.clone()
    }
}

fn documented() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Whole::openapi())
        .merge(super::routes())
        .routes(routes!(document))
        .routes(routes!(docs))
        .routes(routes!(docs_script))
        .routes(routes!(docs_style))
}

/// The whole document.
fn described() -> openapi::OpenApi {
    let mut document = documented().into_openapi();
    Refusals.modify(&mut document);
    document
}

/// What every operation may answer before it is reached.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let refusals = [
            (
                "403",
                "Not for this caller: a web page, a name that is not this host's, a container, another host",
            ),
            ("413", "A body of more than 64 KiB; none is read"),
        ];
        let paths = document.paths.paths.values_mut();
        for operation in paths.filter_map(|item| item.get.as_mut()) {
            let responses = &mut operation.responses.responses;
            for (status, description) in refusals {
                responses.insert(status.to_owned(), problem(description).into());
            }
        }
    }
}

fn problem(description: &str) -> openapi::Response {
    let schema = openapi::Ref::from_schema_name("ProblemDocument");
    openapi::ResponseBuilder::new()
        .description(description)
        .content(
            "application/problem+json",
            openapi::Content::new(Some(schema)),
        )
        .build()
}

/// The paths beside the classic ones, behind their layers.
pub fn superset(state: ObserveState, ids: Arc<dyn Ids>, access: Access) -> Router {
    let streams = Streams::new(MAX_READERS);
    let (routes, _) = documented()
        .with_state(Shared { state, streams })
        .split_for_parts();
    // The path only: a query may name tasks.
    let span = |request: &Request| {
        let (method, path) = (request.method(), request.uri().path());
        tracing::debug_span!("introspection", %method, path)
    };
    let trace = TraceLayer::new_for_http()
        .make_span_with(span)
        .on_failure(());
    let layers = ServiceBuilder::new()
        .layer(trace)
        .layer(middleware::from_fn_with_state(ids, dress))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(access, guard))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            DEADLINE,
        ));
    routes.merge(ui_routes()).layer(layers)
}

/// The OpenAPI document of the introspection listener, as it is committed in `openapi/introspection.json`.
///
/// # Errors
/// None in practice: the document is plain data.
pub fn introspection_text() -> Result<String, serde_json::Error> {
    described().to_pretty_json().map(|text| text + "\n")
}

static TEXT: LazyLock<String> = LazyLock::new(|| introspection_text().unwrap_or_default());

/// Show this document.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "openapi", tag = "agent",
    responses((status = 200, body = Object, description = "OpenAPI 3.1")),
)]
async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::api::admin::testing::{Rig, snapshot_of, task};

    async fn ask(access: Access, path: &str, host: &str) -> (u16, String) {
        let rig = Rig::new(snapshot_of([task("a")]));
        let router = superset(
            rig.state.observe.clone(),
            Arc::clone(&rig.state.ids),
            access,
        );
        let request = Request::builder().uri(path).header("host", host);
        let request = request.body(Body::empty()).expect("a request");
        let response = router.oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a body");
        (
            status,
            String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        )
    }

    #[tokio::test]
    async fn every_documented_path_answers_on_this_host() {
        let document = serde_json::to_value(documented().into_openapi()).expect("JSON");
        let paths = document["paths"].as_object().expect("paths").clone();
        assert!(paths.len() > 10);
        for (path, item) in paths {
            let methods: Vec<_> = item.as_object().expect("methods").keys().collect();
            assert_eq!(methods, ["get"], "{path} only reads");
            let (status, body) = ask(Access::Full, &path.replace("{id}", "a"), "localhost").await;
            let ready = if path == "/readyz" || path == "/healthz" {
                503
            } else {
                200
            };
            assert_eq!(status, ready, "{path}: {body}");
        }
    }

    #[test]
    fn every_operation_says_that_it_may_be_refused() {
        let document = serde_json::to_value(described()).expect("JSON");
        let described = document["components"]["schemas"]["ProblemDocument"].is_object();
        assert!(described, "what is referred to is there");
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("methods") {
                for status in ["403", "413"] {
                    let body =
                        &operation["responses"][status]["content"]["application/problem+json"];
                    assert!(body["schema"].is_object(), "{method} {path} {status}");
                }
            }
        }
    }

    #[tokio::test]
    async fn neighbours_and_other_sites_get_a_problem_document() {
        for (access, host) in [
            (Access::ClassicOnly, "172.17.0.1"),
            (Access::Full, "evil.test"),
        ] {
            let (status, body) = ask(access, "/v1/why", host).await;
            assert_eq!(status, 403);
            assert!(body.contains("urn:berth:problem:forbidden"), "{body}");
        }
    }

    #[test]
    fn the_committed_document_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/introspection.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        let fresh = introspection_text().expect("a document");
        assert!(
            committed == fresh,
            "openapi/introspection.json is stale: run `make openapi`"
        );
    }
}
