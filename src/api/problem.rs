//! Error answers: one table of problems, and the one place that turns them into bodies.
//!
//! A handler returns a [`Problem`]; as a response it is only a status with the problem attached. The layer
//! [`dress`] writes the body, so that answers of the framework itself (unknown route, wrong method, body too large,
//! time out, panic) look like all others.
//!
//! **Invariant.** A 5xx answer tells nothing but its kind and a request id; its cause is logged once, here.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::wire::{FieldError, ProblemDocument};
use crate::boundary::Ids;
use crate::error::ErrorChain;

/// Media type of RFC 9457.
pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident = $status:ident, $word:literal, $title:literal);+ $(;)?) => {
        /// Kinds of problems.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemKind { $($(#[$doc])* $variant),+ }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// HTTP status.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),+ }
            }

            /// `type` of the document.
            pub fn urn(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:berth:problem:", $word)),+ }
            }

            /// `title` of the document.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

problems! {
    /// Query, header or path cannot be understood.
    BadRequest = BAD_REQUEST, "bad-request", "the request cannot be understood";
    /// Not from where it was asked, or not for a page of another site.
    Forbidden = FORBIDDEN, "forbidden", "this may not be asked from here";
    /// No such route.
    NoSuchRoute = NOT_FOUND, "no-such-route", "there is nothing at this path";
    /// No such task.
    TaskNotFound = NOT_FOUND, "task-not-found", "there is no such task";
    /// No such container in that task.
    ContainerNotFound = NOT_FOUND, "container-not-found", "the task has no such container";
    /// The route does not do that.
    WrongMethod = METHOD_NOT_ALLOWED, "wrong-method", "the path does not take this method";
    /// Several tasks match.
    AmbiguousTask = CONFLICT, "ambiguous-task", "several tasks match";
    /// The task exists otherwise.
    TaskConflict = CONFLICT, "task-conflict", "the task exists with another definition";
    /// Nothing to read from yet.
    ContainerNotCreated = CONFLICT, "container-not-created", "the container has not been created yet";
    /// What should follow is not in the log any more.
    EventsGone = GONE, "events-gone", "events that should follow are gone, begin anew";
    /// `If-Match` does not match.
    GenerationMismatch = PRECONDITION_FAILED, "generation-mismatch", "the task is not at that generation";
    /// More than the limit.
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body-too-large", "the body is larger than is taken here";
    /// The task definition has errors.
    DefinitionRefused = UNPROCESSABLE_ENTITY, "definition-refused", "the task definition is refused";
    /// A broken invariant.
    Internal = INTERNAL_SERVER_ERROR, "internal", "the agent failed to answer";
    /// Too many calls or streams.
    Busy = SERVICE_UNAVAILABLE, "busy", "too many requests at once, try again";
    /// The state cannot be written.
    NotDurable = SERVICE_UNAVAILABLE, "not-durable", "the state cannot be written now, nothing was changed";
    /// The state cannot be read.
    StoreUnavailable = SERVICE_UNAVAILABLE, "store-unavailable", "the event log cannot be read now";
    /// The engine is not up yet.
    Starting = SERVICE_UNAVAILABLE, "starting", "the agent cannot use its state directory yet, its log says why";
    /// The engine's loop has not turned for long.
    StandsStill = SERVICE_UNAVAILABLE, "stands-still", "the engine's loop stands still";
    /// Docker does not answer or refuses.
    RuntimeUnavailable = SERVICE_UNAVAILABLE, "runtime-unavailable", "Docker does not give the output now";
    /// The agent is going down.
    ShuttingDown = SERVICE_UNAVAILABLE, "shutting-down", "the agent is shutting down";
    /// No answer within the listener's limit.
    TimedOut = GATEWAY_TIMEOUT, "timed-out", "no answer within the time limit, whether it took effect is unknown";
}

/// An error answer.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: ProblemKind,
    detail: Option<String>,
    errors: Vec<FieldError>,
    candidates: Vec<String>,
    cause: Option<Arc<str>>,
}

impl Problem {
    /// A problem of that kind with nothing to add.
    pub fn new(kind: ProblemKind) -> Self {
        Self {
            kind,
            detail: None,
            errors: Vec::new(),
            candidates: Vec::new(),
            cause: None,
        }
    }

    /// With words for this case.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With complaints about fields.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// With tasks that may have been meant.
    #[must_use]
    pub fn candidates(mut self, candidates: Vec<String>) -> Self {
        self.candidates = candidates;
        self
    }

    /// With a cause for the log.
    #[must_use]
    pub fn because(mut self, error: &(dyn Error + 'static)) -> Self {
        self.cause = Some(ErrorChain(error).to_string().into());
        self
    }

    /// What kind it is.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// One bad field of a request.
    pub fn field(path: &str, message: impl Into<String>) -> Self {
        Self::new(ProblemKind::BadRequest).errors(vec![FieldError {
            path: path.to_owned(),
            message: message.into(),
        }])
    }

    fn of_status(status: StatusCode) -> Self {
        let kind = match status {
            StatusCode::NOT_FOUND => ProblemKind::NoSuchRoute,
            StatusCode::METHOD_NOT_ALLOWED => ProblemKind::WrongMethod,
            StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::BodyTooLarge,
            StatusCode::GATEWAY_TIMEOUT => ProblemKind::TimedOut,
            status if status.is_client_error() => ProblemKind::BadRequest,
            _ => ProblemKind::Internal,
        };
        Self::new(kind)
    }

    fn into_document(self, request_id: &str) -> ProblemDocument {
        let server_fault = self.kind.status().is_server_error();
        ProblemDocument {
            kind: self.kind.urn().to_owned(),
            title: self.kind.title().to_owned(),
            status: self.kind.status().as_u16(),
            detail: if server_fault { None } else { self.detail },
            errors: self.errors,
            candidates: self.candidates,
            request_id: server_fault.then(|| request_id.to_owned()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The answer of a handler that panicked.
#[expect(
    clippy::needless_pass_by_value,
    reason = "is called with the payload that `catch_unwind` gives"
)]
pub(super) fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let words = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or(payload.downcast_ref::<&str>().copied())
        .unwrap_or("without words");
    let mut problem = Problem::new(ProblemKind::Internal);
    problem.cause = Some(format!("panic: {words}").into());
    problem.into_response()
}

/// Marks an error answer whose body is the endpoint's own: what is asked for, only with a status that programs see.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnBody;

/// Writes the body of every error answer but those marked [`OwnBody`].
pub(super) async fn dress(
    State(ids): State<Arc<dyn Ids>>,
    request: Request,
    next: Next,
) -> Response {
    let route = format!("{} {}", request.method(), request.uri().path());
    let bare = next.run(request).await;
    let status = bare.status();
    let good = !status.is_client_error() && !status.is_server_error();
    if good || bare.extensions().get::<OwnBody>().is_some() {
        return bare;
    }
    let problem = bare
        .extensions()
        .get::<Problem>()
        .cloned()
        .unwrap_or_else(|| Problem::of_status(status));
    let request_id = ids.task_id().to_string();
    if problem.kind == ProblemKind::Busy {
        // The client's doing, and no failure of the agent's.
        tracing::info!(event = "client-refused", %route, "refused a client: too many at once");
    } else if problem.kind.status().is_server_error() {
        let cause = problem.cause.as_deref().unwrap_or("none given");
        tracing::error!(event = "request-failed", %request_id, %route, error = cause, "{}", problem.kind.title());
    }
    body_of(problem, &request_id, &bare)
}

/// The whole answer, where nothing else writes its body. For what is the client's doing: no cause is logged.
pub(super) fn alone(problem: Problem) -> Response {
    body_of(problem, "", &Response::default())
}

fn body_of(problem: Problem, request_id: &str, bare: &Response<Body>) -> Response {
    let status = problem.kind.status();
    let retry = matches!(problem.kind, ProblemKind::Busy | ProblemKind::Starting);
    let mut response = (status, Json(problem.into_document(request_id))).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if retry {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    for name in [ALLOW, LOCATION] {
        if let Some(value) = bare.headers().get(&name) {
            headers.insert(name, value.clone());
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_fault_tells_nothing_but_its_kind_and_the_request() {
        for kind in ProblemKind::ALL {
            let document = Problem::new(*kind)
                .detail("/var/lib/secret")
                .into_document("r1");
            let opaque = kind.status().is_server_error();
            assert_eq!(document.detail.is_none(), opaque, "{kind:?}");
            assert_eq!(document.request_id.is_some(), opaque, "{kind:?}");
        }
    }

    #[test]
    fn kinds_have_types_of_their_own() {
        let mut urns: Vec<_> = ProblemKind::ALL.iter().map(|kind| kind.urn()).collect();
        urns.sort_unstable();
        urns.dedup();
        assert_eq!(urns.len(), ProblemKind::ALL.len());
    }
}
