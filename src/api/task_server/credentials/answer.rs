//! One request for credentials: asked, answered, recorded. Both versions differ in where the id is and in one word.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;

use super::CredentialsState;
use super::wire::ErrorBody;
use crate::api::task_server::limits::Class;
use crate::api::task_server::peer::{Began, Peer};
use crate::boundary::credentials::{AuditEntry, AuditEvent};
use crate::credentials::plan::binding::Mismatch;
use crate::credentials::{Asked, Outcome};
use crate::domain::caller::{Caller, Doubt};
use crate::domain::ids::TaskArn;

/// Version of the endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) enum Version {
    V1,
    V2,
}

impl Version {
    fn path(self) -> &'static str {
        match self {
            Self::V1 => "/v1/credentials",
            Self::V2 => "/v2/credentials",
        }
    }

    fn number(self) -> char {
        match self {
            Self::V1 => '1',
            Self::V2 => '2',
        }
    }
}

/// An answer before it has a form.
enum Answer {
    Body(Bytes),
    Error(StatusCode, &'static str, &'static str),
}

impl Answer {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Vended(body, _) => Self::Body(body.clone()),
            Outcome::Unknown | Outcome::Refused(_) => Self::Error(
                StatusCode::BAD_REQUEST,
                "InvalidIdInRequest",
                "Credentials not found",
            ),
            Outcome::NotYet(_) => Self::Error(
                StatusCode::SERVICE_UNAVAILABLE,
                "CredentialsUninitialized",
                "Credentials uninitialized for ID",
            ),
        }
    }

    const NO_ID: Self = Self::Error(
        StatusCode::BAD_REQUEST,
        "NoIdInRequest",
        "No Credential ID in the request",
    );

    fn status(&self) -> StatusCode {
        match self {
            Self::Body(_) => StatusCode::OK,
            Self::Error(status, _, _) => *status,
        }
    }

    fn into_response(self, version: Version) -> Response {
        let status = self.status();
        let body = match self {
            Self::Body(body) => body,
            Self::Error(status, code, words) => {
                let body = ErrorBody {
                    code,
                    message: format!("CredentialsV{}Request: {words}", version.number()),
                    status: status.as_u16(),
                };
                serde_json::to_vec(&body).unwrap_or_default().into()
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        // Exactly so: an SDK takes the error apart only then.
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// Answers a request for that id, `None` if it has none.
pub(super) async fn answer(
    state: &CredentialsState,
    version: Version,
    id: Option<&str>,
    (peer, began): (&Peer, Began),
    headers: &HeaderMap,
) -> Response {
    let (answer, asked) = match id.filter(|id| !id.is_empty()) {
        None => (Answer::NO_ID, None),
        Some(id) => {
            let asked = state.credentials.ask(id, peer.caller(), began.0).await;
            (Answer::of(&asked.outcome), Some(asked))
        }
    };
    let status = answer.status().as_u16();
    let grant = asked.as_ref().and_then(|asked| asked.grant.as_ref());
    let event = match (&answer, grant) {
        (Answer::Body(_), Some(grant)) => AuditEvent::Vended(grant.kind),
        _ => AuditEvent::Refused,
    };
    state.audit.record(AuditEntry {
        at: state.clock.now(),
        status,
        peer: peer.address(),
        path: Cow::Borrowed(version.path()),
        user_agent: crate::api::task_server::user_agent(headers),
        owner: grant.map(|grant| grant.owner.clone()),
        event,
        against: asked
            .as_ref()
            .and_then(|asked| against(&asked.outcome))
            .map(Mismatch::as_str),
    });
    tell(state, status, asked.as_ref(), peer);
    answer.into_response(version)
}

/// The same for whoever reads the log: never an id.
fn tell(state: &CredentialsState, status: u16, asked: Option<&Asked>, peer: &Peer) {
    let grant = asked.and_then(|asked| asked.grant.as_ref());
    let owner = grant.map(|grant| tracing::field::display(&grant.owner));
    let role = grant.map(|grant| grant.kind.as_str());
    let event = if status == 200 {
        "credentials-vended"
    } else {
        "credentials-refused"
    };
    tracing::debug!(
        event,
        status,
        task.arn = owner,
        role,
        caller = peer.caller().kind(),
        "asked for credentials"
    );
    // On a host that cannot tell callers apart this would be said of every request.
    let mismatch = asked
        .and_then(|asked| against(&asked.outcome))
        .filter(|_| *peer.caller() != Caller::Unknown(Doubt::Unsupported));
    if let (Some(mismatch), Some(grant)) = (mismatch, grant) {
        tell_mismatch(state, event, mismatch, &grant.owner, peer);
    }
}

/// What speaks against the caller.
fn against(outcome: &Outcome) -> Option<Mismatch> {
    match outcome {
        Outcome::Vended(_, mismatch) | Outcome::NotYet(mismatch) => *mismatch,
        Outcome::Refused(mismatch) => Some(*mismatch),
        Outcome::Unknown => None,
    }
}

fn tell_mismatch(
    state: &CredentialsState,
    event: &str,
    mismatch: Mismatch,
    owner: &TaskArn,
    peer: &Peer,
) {
    if !state
        .noise
        .admit(Class::Credentials, owner, mismatch.as_str())
    {
        return;
    }
    let from = match peer.caller() {
        Caller::Task(arn) => arn.to_string(),
        Caller::Foreign(words) => words.clone(),
        Caller::Host(process) => match (process.pid, &process.command) {
            (Some(pid), Some(command)) => format!("process {pid} ({command})"),
            (Some(pid), None) => format!("process {pid}"),
            (None, _) => "a process of this host".to_owned(),
        },
        Caller::Unknown(_) => peer.address().to_string(),
    };
    // A container that has just started may be known a moment later; one that never is has the id from elsewhere.
    let words = if mismatch == Mismatch::Unidentified {
        "credentials of a task were asked for by somebody who is not known"
    } else {
        "credentials of a task were asked for by somebody else"
    };
    tracing::warn!(event, task.arn = %owner, reason = mismatch.as_str(), from, "{words}");
}
