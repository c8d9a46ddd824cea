//! What becomes of a request before it is routed: too large, damaged, moved, or read.
//!
//! | request | answer |
//! |---|---|
//! | path and query longer than 8 KiB | 414, closes |
//! | more than 100 header fields, or more than 32 KiB of them | 431, closes |
//! | for credentials, with a body of more than 64 KiB | 413, closes |
//! | a `%` without two hexadecimal digits in the path | 400, closes |
//! | `//`, `.` or `..` in the path, plain or percent-encoded | 301 to the plain path |
//! | everything else | routed by the decoded path: `%2F` is a slash, `%76` is a `v` |
//!
//! Whoever asks for credentials so is counted and recorded like everybody who does.
//! Texts and the order of decoding and cleaning are those of the reference agent's server; its limits are a megabyte.
//! Heads that are larger than the connection takes do not come this far: it answers them with the same statuses.

use std::borrow::Cow;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tower::Layer as _;

use super::limits::{RateLimiter, is_for_credentials};
use crate::api::listeners::PLAIN_BODY_LIMIT;

/// Longest path and query together, in bytes: an id has some 40.
pub const MAX_TARGET_BYTES: usize = 8 * 1024;

/// Most header fields: an SDK sends some 10.
pub const MAX_FIELDS: usize = 100;

/// Most bytes of names and values together.
pub const MAX_FIELD_BYTES: usize = 32 * 1024;

/// What is written as it is in a path; see Go's `net/url`, by which clients of the reference agent are redirected.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// The routes behind what reads requests. Routing has been done when a layer of a router runs, so this is a router
/// around the router. `limiter` counts and records what is refused here.
pub fn read_requests(routes: Router, limiter: RateLimiter) -> Router {
    Router::new().fallback_service(from_fn_with_state(limiter, read).layer(routes))
}

async fn read(State(limiter): State<RateLimiter>, mut request: Request, next: Next) -> Response {
    let refused = |status, request| limiter.refuse(request, refused(status));
    if request
        .uri()
        .path_and_query()
        .is_some_and(|target| target.as_str().len() > MAX_TARGET_BYTES)
    {
        return refused(StatusCode::URI_TOO_LONG, &request);
    }
    if is_flood(request.headers()) {
        return refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &request);
    }
    if is_for_credentials(&request) && has_large_body(request.headers()) {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, &request);
    }
    match target(request.uri()) {
        Target::AsIs => {}
        Target::Damaged => return refused(StatusCode::BAD_REQUEST, &request),
        Target::Moved(location) => {
            return (StatusCode::MOVED_PERMANENTLY, [(LOCATION, location)]).into_response();
        }
        Target::Decoded(uri) => *request.uri_mut() = uri,
    }
    next.run(request).await
}

fn is_flood(fields: &HeaderMap) -> bool {
    let sizes = fields
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    fields.len() > MAX_FIELDS || sizes.sum::<usize>() > MAX_FIELD_BYTES
}

/// Whether the body is said to be larger than any is taken. One whose size is not said is not read.
fn has_large_body(fields: &HeaderMap) -> bool {
    let said = fields
        .get(CONTENT_LENGTH)
        .and_then(|said| said.to_str().ok());
    let bytes = said.and_then(|said| said.parse::<usize>().ok());
    bytes.is_some_and(|bytes| bytes > PLAIN_BODY_LIMIT)
}

/// Says the status and no more; the connection is not to be trusted with another request.
fn refused(status: StatusCode) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CONNECTION, "close"),
    ];
    (status, headers, status.to_string()).into_response()
}

/// Where a request leads.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// Where it says.
    AsIs,
    /// There, which is the same in other letters.
    Decoded(Uri),
    /// It should ask there.
    Moved(String),
    /// Nowhere.
    Damaged,
}

fn target(uri: &Uri) -> Target {
    let path = uri.path();
    // What begins otherwise is a host or `*`, which no route is.
    if !path.starts_with('/') {
        return Target::AsIs;
    }
    let Some(decoded) = decoded(path) else {
        return Target::Damaged;
    };
    let clean = clean(&decoded);
    let written = utf8_percent_encode(&clean, ENCODED).to_string();
    let written = match uri.query() {
        Some(query) => format!("{written}?{query}"),
        None => written,
    };
    if clean != decoded {
        return Target::Moved(written);
    }
    if uri
        .path_and_query()
        .is_some_and(|asked| asked.as_str() == written)
    {
        return Target::AsIs;
    }
    match PathAndQuery::try_from(written) {
        Ok(target) => Target::Decoded(Uri::from(target)),
        Err(_) => Target::Damaged,
    }
}

/// The path as it is meant; `None` if it is damaged. What is no text is no id, but it is a path.
fn decoded(path: &str) -> Option<Cow<'_, str>> {
    let mut parts = path.split('%');
    let _before = parts.next();
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let is_whole = |part: &str| {
        let mut bytes = part.as_bytes().iter();
        is_digit(bytes.next()) && is_digit(bytes.next())
    };
    parts
        .all(is_whole)
        .then(|| percent_decode_str(path).decode_utf8_lossy())
}

/// The path without empty, `.` and `..` segments; a slash at its end stays.
fn clean(path: &str) -> String {
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
    clean
}

#[cfg(test)]
#[path = "requests_tests.rs"]
mod tests;
