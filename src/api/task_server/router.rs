//! The task server's routes as one router. What none of them has is 404, in the words of the reference agent.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::metadata::{MetadataState, metadata_routes};

/// The routes, without layers. Routers of other areas are merged with it.
pub fn task_server_routes(metadata: MetadataState) -> Router {
    metadata_routes(metadata).fallback(not_found)
}

async fn not_found() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (StatusCode::NOT_FOUND, headers, "404 page not found\n").into_response()
}

/// Sends somebody who asks for `//`, `.` or `..` to the plain path, with the few words for people that Go's servers
/// have there.
pub async fn plain_paths(request: Request, next: Next) -> Response {
    let Some(location) = plain(request.uri()) else {
        return next.run(request).await;
    };
    let moved = StatusCode::MOVED_PERMANENTLY;
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return (moved, [(LOCATION, location)]).into_response();
    }
    let words = format!(
        "<a href=\"{}\">Moved Permanently</a>.\n\n",
        escaped(&location)
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (LOCATION, location),
    ];
    (moved, headers, words).into_response()
}

/// As text within an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&#34;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// The plain form of a path that is not; `None` = it is.
fn plain(uri: &Uri) -> Option<String> {
    let path = uri.path();
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let mut clean = format!("/{}", kept.join("/"));
    if path.ends_with('/') && clean != "/" {
        clean.push('/');
    }
    if clean == path {
        return None;
    }
    if let Some(query) = uri.query() {
        clean.push('?');
        clean.push_str(query);
    }
    Some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_end_the_attribute_that_it_is_in() {
        assert_eq!(escaped("/a?x=\"'<>&"), "/a?x=&#34;&#39;&lt;&gt;&amp;");
    }

    #[test]
    fn unclean_paths_have_a_plain_form() {
        for (given, expected) in [
            ("/v4/a", None),
            ("/v4/a/", None),
            ("/", None),
            ("//v4/a", Some("/v4/a")),
            ("/v4/./a?x=1", Some("/v4/a?x=1")),
            ("/v4/../../a/", Some("/a/")),
        ] {
            let uri: Uri = given.parse().unwrap();
            assert_eq!(plain(&uri).as_deref(), expected, "{given}");
        }
    }
}
