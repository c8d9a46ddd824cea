//! The layer that asks the buckets, refuses with 429, and writes the rate into every answer.

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
use crate::boundary::credentials::{AuditEntry, AuditEvent, AuditLog, PATHS};
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
    // Another spelling of a path is the same path.
    let class = class_of(&plain(request.uri().path()));
    if let Some(too_often) = inner.refusal(class, &peer, &request) {
        return too_often;
    }
    let forwarded_for = request.headers().get(FORWARDED_FOR).cloned();
    let mut response = next.run(request).await;
    inner.write_rate(response.headers_mut(), class, forwarded_for, &peer);
    response
}

fn refused() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        // A bucket has room again well within a second.
        (header::RETRY_AFTER, "1"),
    ];
    (StatusCode::TOO_MANY_REQUESTS, headers, REFUSAL).into_response()
}

impl RateLimiter {
    /// A request for credentials that is refused for its form: it counts and is recorded as any other is. `refused` is
    /// the answer that it gets unless it comes too often.
    pub fn refuse(&self, request: &Request, refused: Response) -> Response {
        let Self(inner) = self;
        if !is_for_credentials(request) {
            return refused;
        }
        let peer = Peer::of(request.extensions());
        if let Some(too_often) = inner.refusal(Class::Credentials, &peer, request) {
            return too_often;
        }
        let status = refused.status();
        inner.record(AuditEvent::Refused, status, &peer, request);
        tracing::debug!(
            event = "credentials-refused",
            status = status.as_u16(),
            caller = peer.caller().kind(),
            "asked for credentials in a way that leads nowhere"
        );
        refused
    }
}

impl Inner {
    fn write_rate(
        &self,
        headers: &mut HeaderMap,
        class: Class,
        forwarded_for: Option<HeaderValue>,
        peer: &Peer,
    ) {
        let [credentials, metadata] = &self.shown;
        let shown = match class {
            Class::Credentials => credentials,
            Class::Metadata => metadata,
        };
        let forwarded_for = forwarded_for.unwrap_or_else(|| HeaderValue::from_static(""));
        headers.insert(DURATION, HeaderValue::from_static("1"));
        headers.insert(LIMIT, shown.clone());
        headers.insert(FORWARDED, forwarded_for);
        headers.insert(REMOTE, peer.header());
    }

    /// Takes the request out of its caller's bucket; the answer if there is none left in it.
    fn refusal(&self, class: Class, peer: &Peer, request: &Request) -> Option<Response> {
        let whose = match peer.caller() {
            Caller::Task(arn) => Whose::Task(arn.as_str()),
            Caller::Host(_) | Caller::Foreign(_) | Caller::Unknown(_) => {
                Whose::Address(peer.address().ip())
            }
        };
        let path = match class {
            // Ids that are made up would have a bucket each.
            Class::Credentials => Cow::Borrowed(""),
            Class::Metadata => plain(request.uri().path()),
        };
        if self.limits.admit(class, whose, &path) {
            return None;
        }
        let status = StatusCode::TOO_MANY_REQUESTS;
        self.record(AuditEvent::RateLimited, status, peer, request);
        tracing::debug!(
            event = "rate-limited",
            task.arn = peer.caller().task().map(tracing::field::display),
            caller = peer.caller().kind(),
            "a caller asks too often"
        );
        let mut too_often = refused();
        let forwarded_for = request.headers().get(FORWARDED_FOR).cloned();
        self.write_rate(too_often.headers_mut(), class, forwarded_for, peer);
        Some(too_often)
    }

    fn record(&self, event: AuditEvent, status: StatusCode, peer: &Peer, request: &Request) {
        self.audit.record(AuditEntry {
            at: self.clock.now(),
            status: status.as_u16(),
            peer: peer.address(),
            path: without_ids(&plain(request.uri().path())),
            user_agent: super::super::user_agent(request.headers()),
            owner: match event {
                AuditEvent::RateLimited => peer.caller().task().cloned(),
                AuditEvent::Vended(_) | AuditEvent::Refused => None,
            },
            event,
            against: None,
        });
    }
}

/// The path without percent-encoding; what is damaged stays as it is.
fn plain(path: &str) -> Cow<'_, str> {
    match Cow::from(percent_decode_str(path)) {
        Cow::Borrowed(_) => Cow::Borrowed(path),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Whether it asks for credentials, however it is spelt.
pub(in super::super) fn is_for_credentials(request: &Request) -> bool {
    class_of(&plain(request.uri().path())) == Class::Credentials
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
    let found = PATHS.into_iter().find(|start| {
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
