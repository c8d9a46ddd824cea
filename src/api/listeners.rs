//! Every listener of the agent: where it listens, through which layers a request goes, and to which router.
//!
//! | listener | address | layers, outermost first | router |
//! |---|---|---|---|
//! | admin | Unix socket `berth.sock`, mode 0660 | trace, problem bodies, panic to 500, deadline, concurrency, body limit | [`admin_router`](super::admin_router) |
//! | introspection | 127.0.0.1:51678, and the classic routes alone on Docker's default bridge; all addresses if the operator says so | plain paths, body limit | classic routes, and for this host those beside them |
//! | task server | 127.0.0.1:51679 | plain paths, body limit, rate | [`task_server_routes`](super::task_server::router::task_server_routes) |
//!
//! Connections have limits of their own where they are accepted (`local.rs`, `tcp.rs`). Streams (events, output) leave the
//! deadline and the concurrency limit when their answer begins; they have their own number of places.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::{Router, middleware};
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use super::observe::strays::dress_too_large;
use super::problem::{dress, panicked};
use super::task_server::limits::{RateLimiter, limit};
use super::task_server::router::plain_paths;
use crate::boundary::Ids;

/// Largest body: a task definition of ECS has 64 KiB at most, generated ones have been seen larger.
pub const ADMIN_BODY_LIMIT: usize = 10 * 1024 * 1024;

/// From the request's head to the answer's head. A put waits for one commit, which takes milliseconds.
pub const ADMIN_DEADLINE: Duration = Duration::from_secs(30);

/// Requests worked on at once; more wait within their deadline. Bounds memory to 64 bodies of 10 MiB.
pub const ADMIN_CONCURRENCY: usize = 64;

/// The admin listener's layers around its routes.
pub(super) fn admin_layers(routes: Router, ids: Arc<dyn Ids>) -> Router {
    // The path only: a query may hold values of variables. Failures are logged where their bodies are written.
    let span = |request: &Request| {
        let (method, path) = (request.method(), request.uri().path());
        tracing::debug_span!("admin", %method, path)
    };
    let trace = TraceLayer::new_for_http()
        .make_span_with(span)
        .on_failure(());
    let layers = ServiceBuilder::new()
        .layer(trace)
        .layer(middleware::from_fn_with_state(ids, dress))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            ADMIN_DEADLINE,
        ))
        .layer(GlobalConcurrencyLimitLayer::new(ADMIN_CONCURRENCY))
        .layer(DefaultBodyLimit::max(ADMIN_BODY_LIMIT));
    routes.layer(layers)
}

/// Largest body that is taken where bodies are not read at all: ECS agents read and forget them.
pub const PLAIN_BODY_LIMIT: usize = 64 * 1024;

/// The introspection listener's and the task server's layers around their routes.
pub fn plain_layers(routes: Router) -> Router {
    let layers = ServiceBuilder::new()
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn(plain_paths))
        .layer(middleware::from_fn(dress_too_large))
        .layer(RequestBodyLimitLayer::new(PLAIN_BODY_LIMIT));
    routes.layer(layers)
}

/// The task server's layers around its routes: a caller that asks too often gets no further.
pub fn task_server_layers(routes: Router, limiter: RateLimiter) -> Router {
    plain_layers(routes.layer(middleware::from_fn_with_state(limiter, limit)))
}
