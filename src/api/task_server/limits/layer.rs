//! The layer that asks the buckets, refuses with 429, and writes the rate into every other answer.

use std::borrow::Cow;
use std::hash::Hash;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use percent_encoding::percent_decode_str;

use super::bucket::{Class, Limits, RateLimits};
use crate::api::task_server::peer::Peer;
use crate::boundary::Clock;
use crate::boundary::credentials::{AuditEntry, AuditEvent, AuditLog};
use crate::domain::caller::Caller;

const LIMIT: HeaderName = HeaderName::from_static("x-rate-limit-limit");
const DURATION: HeaderName = HeaderName::from_static("x-rate-limit-duration");
const FORWARDED: HeaderName = HeaderName::from_static("x-rate-limit-request-forwarded-for");
const REMOTE: HeaderName = HeaderName::from_static("x-rate-limit-request-remote-addr");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Body of a refusal, as the reference agent has it.
const REFUSAL: &str = "You have reached maximum request limit.";

/// State of the layer; cheap to clone.
#[derive(Clone)]
pub struct RateLimiter(Arc<Inner>);

struct Inner {
    limits: Limits,
    shown: [HeaderValue; 2],
    audit: Arc<dyn AuditLog>,
    clock: Arc<dyn Clock>,
}

impl RateLimiter {
    /// Full buckets; refusals are audited.
    pub fn new(rates: RateLimits, audit: Arc<dyn AuditLog>, clock: Arc<dyn Clock>) -> Self {
        let shown = [rates.credentials, rates.metadata].map(|rate| {
            let text = format!("{}.00", rate.per_second);
            HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
        });
        Self(Arc::new(Inner {
            limits: Limits::new(rates),
            shown,
            audit,
            clock,
        }))
    }
}

/// Whose bucket it is: the task's, wherever it calls from; of others the address they call from.
#[derive(Hash)]
enum Whose<'a> {
    Task(&'a str),
    Address(std::net::IpAddr),
}

/// For `middleware::from_fn_with_state`: outside everything but what makes paths plain.
pub async fn limit(
    State(limiter): State<RateLimiter>,
    peer: Peer,
    request: Request,
    next: Next,
) -> Response {
    let RateLimiter(inner) = &limiter;
    let path = request.uri().path();
    let class = class_of(path);
    let whose = match peer.caller() {
        Caller::Task(arn) => Whose::Task(arn.as_str()),
        Caller::Host(_) | Caller::Foreign(_) | Caller::Unknown(_) => {
            Whose::Address(peer.address().ip())
        }
    };
    // Another spelling of a path is the same path.
    let plain: Cow<'_, [u8]> = percent_decode_str(path).into();
    let plain = String::from_utf8_lossy(&plain);
    if !inner.limits.admit(class, whose, &plain) {
        inner.audit.record(refusal(inner, &peer, &request));
        tracing::debug!(
            event = "rate-limited",
            task.arn = peer.caller().task().map(tracing::field::display),
            caller = peer.caller().kind(),
            "a caller asks too often"
        );
        return refused();
    }
    let forwarded_for = request.headers().get(FORWARDED_FOR).cloned();
    let mut response = next.run(request).await;
    let [credentials, metadata] = &inner.shown;
    let shown = match class {
        Class::Credentials => credentials,
        Class::Metadata => metadata,
    };
    write_rate(response.headers_mut(), shown.clone(), forwarded_for, &peer);
    response
}

fn write_rate(
    headers: &mut HeaderMap,
    shown: HeaderValue,
    forwarded_for: Option<HeaderValue>,
    peer: &Peer,
) {
    let forwarded_for = forwarded_for.unwrap_or_else(|| HeaderValue::from_static(""));
    headers.insert(DURATION, HeaderValue::from_static("1"));
    headers.insert(LIMIT, shown);
    headers.insert(FORWARDED, forwarded_for);
    headers.insert(REMOTE, peer.header());
}

fn refused() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        // A bucket has room again well within a second.
        (header::RETRY_AFTER, "1"),
    ];
    (StatusCode::TOO_MANY_REQUESTS, headers, REFUSAL).into_response()
}

fn refusal(inner: &Inner, peer: &Peer, request: &Request) -> AuditEntry {
    AuditEntry {
        at: inner.clock.now(),
        status: StatusCode::TOO_MANY_REQUESTS.as_u16(),
        peer: peer.address(),
        path: without_ids(request.uri().path()),
        user_agent: super::super::user_agent(request.headers()),
        owner: peer.caller().task().cloned(),
        event: AuditEvent::RateLimited,
        against: None,
    }
}

fn class_of(path: &str) -> Class {
    let is_credentials = ["/v1/credentials", "/v2/credentials"]
        .iter()
        .any(|start| path.starts_with(start));
    if is_credentials {
        Class::Credentials
    } else {
        Class::Metadata
    }
}

/// The path for a log: what stands where an id would is left out, and nothing that was made up is kept.
fn without_ids(path: &str) -> Cow<'static, str> {
    let known = [
        "/v1/credentials",
        "/v2/credentials",
        "/v2/metadataWithTags",
        "/v2/metadata",
        "/v2/stats",
        "/v3",
        "/v4",
        "/api",
    ];
    let found = known.into_iter().find(|start| {
        path.strip_prefix(start)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    Cow::Borrowed(found.unwrap_or("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_is_left_in_a_path_for_a_log() {
        for (path, shown) in [
            ("/v2/credentials/a19d", "/v2/credentials"),
            ("/v2/credentials/", "/v2/credentials"),
            ("/v1/credentials", "/v1/credentials"),
            ("/v4/a19d/task", "/v4"),
            ("/api/a19d/task-protection/v1/state", "/api"),
            ("/v2/metadata/0123", "/v2/metadata"),
            ("/v4a19d", "/"),
            ("/a19d", "/"),
        ] {
            assert_eq!(without_ids(path), shown);
        }
    }

    #[test]
    fn credentials_have_buckets_of_their_own() {
        assert_eq!(class_of("/v2/credentials/x"), Class::Credentials);
        assert_eq!(class_of("/v1/credentials"), Class::Credentials);
        assert_eq!(class_of("/v2/metadata"), Class::Metadata);
        assert_eq!(class_of("/v4/x/task"), Class::Metadata);
    }
}
