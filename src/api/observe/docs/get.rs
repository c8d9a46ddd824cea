//! The page and its two files, from the binary.

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

/// Nothing but our own script, style and document.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'";

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// Show this document as a page.
#[utoipa::path(
    get, path = "/docs", operation_id = "docs", tag = "agent",
    responses((status = 200, body = String, content_type = "text/html", description = "The page")),
)]
pub(in crate::api) async fn docs() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, PAGE).into_response()
}

/// Give the script of the page.
#[utoipa::path(
    get, path = "/docs/page.js", operation_id = "docsScript", tag = "agent",
    responses((status = 200, body = String, content_type = "text/javascript", description = "The script")),
)]
pub(in crate::api) async fn docs_script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT).into_response()
}

/// Give the style of the page.
#[utoipa::path(
    get, path = "/docs/page.css", operation_id = "docsStyle", tag = "agent",
    responses((status = 200, body = String, content_type = "text/css", description = "The style")),
)]
pub(in crate::api) async fn docs_style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_no_other_host_and_is_small() {
        for text in [PAGE, SCRIPT, STYLE] {
            for word in ["http:", "https:", "//cdn", "@import", "innerHTML"] {
                assert!(!text.contains(word), "{word}");
            }
        }
        assert!(PAGE.len() + SCRIPT.len() + STYLE.len() < 10_000);
    }

    #[tokio::test]
    async fn the_page_may_run_our_own_script_only() {
        let page = docs().await;
        let policy = page.headers().get(CONTENT_SECURITY_POLICY);
        assert_eq!(policy.and_then(|value| value.to_str().ok()), Some(POLICY));
        assert!(!PAGE.contains("<style") && !PAGE.contains("onclick"));
    }
}
