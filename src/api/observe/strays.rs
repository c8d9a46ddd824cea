//! What lies below the paths that other ECS agents do not have: wrong ones are answered with a problem document
//! (http-endpoints.md 10.4), where every other path gets the list of classic commands.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use crate::api::problem::{Problem, ProblemKind, alone};

/// Beginnings of such paths. Nothing of the reference agent begins so.
const BEGINNINGS: &[&str] = &[
    "/livez",
    "/readyz",
    "/healthz",
    "/metrics",
    "/openapi",
    "/docs",
    "/ui",
    "/v1/why",
    "/v1/events",
    "/v1/resources",
    "/v1/drain",
    "/v1/usage",
    "/v1/images",
    "/v1/files",
    "/v1/config",
    "/v1/health",
];

/// Below this a task is named; by itself it is a classic path that is answered with the commands.
const TASK: &str = "/v1/tasks/";

/// Whether no other ECS agent has something there.
pub(in crate::api) fn is_beside(path: &str) -> bool {
    let names_task = path.strip_prefix(TASK).is_some_and(|rest| !rest.is_empty());
    names_task || BEGINNINGS.iter().any(|begin| path.starts_with(begin))
}

/// The answer where nothing is.
pub(in crate::api) fn nothing_here() -> Response {
    alone(Problem::new(ProblemKind::NoSuchRoute))
}

/// Gives the refusal of a body by its size the form of the path: it is made before any route is looked for.
pub(in crate::api) async fn dress_too_large(request: Request, next: Next) -> Response {
    let beside = is_beside(request.uri().path());
    let answer = next.run(request).await;
    if beside && answer.status() == StatusCode::PAYLOAD_TOO_LARGE {
        alone(Problem::new(ProblemKind::BodyTooLarge))
    } else {
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_the_classic_paths_is_told_from_them() {
        for path in [
            "/readyz/",
            "/metricsx",
            "/docs/",
            "/v1/tasks/web1/nope",
            "/v1/why/",
        ] {
            assert!(is_beside(path), "{path}");
        }
        for path in [
            "/",
            "/v1",
            "/v1/metadata",
            "/v1/metadata/",
            "/v1/tasks",
            "/v1/tasks/",
            "/license",
            "/v1/agent/health",
            "/debug/pprof/",
        ] {
            assert!(!is_beside(path), "{path}");
        }
    }
}
