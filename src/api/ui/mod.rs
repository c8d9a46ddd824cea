//! `/ui`: a page for people who would rather look. Five files that are part of the program; the page asks the same
//! routes as everybody else.
//!
//! **Invariants.** The page asks nobody but the agent that served it, and the browser holds it to that. It writes
//! text, never markup, so what a task is called cannot become part of the page.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Everything from here, nothing in frames of others.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What every file is sent with. No cache: after an upgrade the page must fit the agent.
const HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-cache"),
];

const PAGE: &str = include_str!("page.html");
const ICON: &str = include_str!("icon.svg");
const STYLE: &str = include_str!("style.css");
const PLOT: &str = include_str!("plot.js");
const SCRIPT: &str = include_str!("page.js");

/// The routes, for listeners that only this host reaches.
pub(in crate::api) fn ui_routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(
            "/ui",
            get(|| async { (StatusCode::PERMANENT_REDIRECT, [(LOCATION, "/ui/")]) }),
        )
        .route(
            "/ui/",
            get(|| async { file("text/html; charset=utf-8", PAGE) }),
        )
        .route(
            "/ui/icon.svg",
            get(|| async { file("image/svg+xml", ICON) }),
        )
        .route(
            "/ui/style.css",
            get(|| async { file("text/css; charset=utf-8", STYLE) }),
        )
        .route(
            "/ui/plot.js",
            get(|| async { file("text/javascript; charset=utf-8", PLOT) }),
        )
        .route(
            "/ui/page.js",
            get(|| async { file("text/javascript; charset=utf-8", SCRIPT) }),
        )
}

fn file(kind: &'static str, text: &'static str) -> Response {
    (HEADERS, [(CONTENT_TYPE, kind)], text).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    /// Most that all files together may have, in bytes.
    const MAX_BYTES: usize = 60 * 1024;

    async fn ask(path: &str) -> Response {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        ui_routes::<()>()
            .with_state(())
            .oneshot(request)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn files_come_with_a_policy_that_keeps_the_page_at_home() {
        for (path, kind) in [
            ("/ui/", "text/html"),
            ("/ui/icon.svg", "image/svg+xml"),
            ("/ui/style.css", "text/css"),
            ("/ui/plot.js", "text/javascript"),
            ("/ui/page.js", "text/javascript"),
        ] {
            let answer = ask(path).await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            let header = |name| answer.headers().get(name).unwrap().to_str().unwrap();
            assert!(header(CONTENT_TYPE).starts_with(kind), "{path}");
            assert!(header(CONTENT_SECURITY_POLICY).starts_with("default-src 'self';"));
        }
        let bare = ask("/ui").await;
        assert_eq!(bare.headers().get(LOCATION).unwrap(), "/ui/");
        assert_eq!(ask("/ui/../x").await.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn files_are_small_and_name_no_other_host_and_no_markup() {
        let all = [PAGE, ICON, STYLE, PLOT, SCRIPT];
        assert!(all.iter().map(|text| text.len()).sum::<usize>() < MAX_BYTES);
        for text in all {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for bad in [
                "http:",
                "https:",
                "innerHTML",
                "document.write",
                "eval(",
                " style=\"",
            ] {
                assert!(!text.contains(bad), "{bad}");
            }
        }
    }
}
