//! `/api/{id}/task-protection/v1/state`: a task asks ECS to spare it from scale-in, through the agent and with its own
//! role (`http-endpoints.md` 5.1).
//!
//! Differences from the reference agent: a role whose credentials are still to come is 503 instead of 403; an answer
//! that says nothing is 500; a caller that may not have the task's credentials is answered as if the id did not exist.

mod request;

mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use tokio::time::Instant;

use super::peer::Peer;
use crate::api::view::Views;
use crate::boundary::protection::{
    ProtectionAnswer, ProtectionCall, ProtectionError, TaskProtection,
};
use crate::credentials::{CredentialsHandle, Outcome};
use crate::domain::credentials::Credentials;
use crate::domain::ids::TaskArn;

/// What the endpoint works with; cheap to clone.
#[derive(Clone)]
pub struct ProtectionState {
    views: Arc<Views>,
    credentials: CredentialsHandle,
    control_plane: Arc<dyn TaskProtection>,
}

impl ProtectionState {
    /// Tasks are found in `views`, their roles in `credentials`, and `control_plane` is asked.
    pub fn new(
        views: Arc<Views>,
        credentials: CredentialsHandle,
        control_plane: Arc<dyn TaskProtection>,
    ) -> Self {
        Self {
            views,
            credentials,
            control_plane,
        }
    }
}

/// The route, without layers. Other methods are 405.
pub fn protection_routes(state: ProtectionState) -> Router {
    let both = axum::routing::get(get).put(put);
    Router::new()
        .route("/api/{id}/task-protection/v1/state", both)
        .with_state(state)
}

async fn get(State(state): State<ProtectionState>, Path(id): Path<String>, peer: Peer) -> Response {
    let Some(task) = task_of(&state, &id) else {
        return wire::unknown();
    };
    answer(&state, &task, &peer, ProtectionCall::Get).await
}

async fn put(
    State(state): State<ProtectionState>,
    Path(id): Path<String>,
    peer: Peer,
    body: Bytes,
) -> Response {
    let Some(asked) = request::read(&body) else {
        return wire::undecodable();
    };
    let Some(task) = task_of(&state, &id) else {
        return wire::unknown();
    };
    let Some(enabled) = asked.enabled else {
        let words = "Invalid request: does not contain 'ProtectionEnabled' field";
        return wire::error(
            StatusCode::BAD_REQUEST,
            &task,
            ("InvalidParameterException", words),
        );
    };
    let minutes = asked.minutes;
    answer(
        &state,
        &task,
        &peer,
        ProtectionCall::Set { enabled, minutes },
    )
    .await
}

fn task_of(state: &ProtectionState, id: &str) -> Option<TaskArn> {
    let indexed = state.views.now();
    let (entry, _) = indexed.endpoint(id)?;
    Some(entry.seen().arn.clone())
}

async fn answer(
    state: &ProtectionState,
    task: &TaskArn,
    peer: &Peer,
    call: ProtectionCall,
) -> Response {
    let credentials = match role_of(state, task, peer).await {
        Ok(credentials) => credentials,
        Err(refusal) => return refusal,
    };
    match state.control_plane.call(task, &credentials, call).await {
        Ok(answer) => said(task, &answer),
        Err(ProtectionError::Late) => {
            let words = "Timed out calling ECS Task Protection API";
            wire::error(
                StatusCode::GATEWAY_TIMEOUT,
                task,
                ("RequestCanceled", words),
            )
        }
        Err(ProtectionError::Refused {
            status,
            request_id,
            code,
            message,
        }) => {
            let status = StatusCode::from_u16(status);
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            wire::refused(status, task, (&code, &message), request_id.as_deref())
        }
        Err(ProtectionError::Unreachable(words)) => {
            wire::error(StatusCode::INTERNAL_SERVER_ERROR, task, (SERVER, &words))
        }
    }
}

/// Code of what is nobody's fault but this side's.
const SERVER: &str = "ServerException";

/// The credentials of the task's role, for a caller that may have them.
async fn role_of(
    state: &ProtectionState,
    task: &TaskArn,
    peer: &Peer,
) -> Result<Credentials, Response> {
    let Some(id) = state.credentials.task_role_of(task) else {
        let words = "Invalid Request: no task IAM role credentials available for task";
        return Err(wire::error(
            StatusCode::FORBIDDEN,
            task,
            ("AccessDeniedException", words),
        ));
    };
    let asked = state
        .credentials
        .ask(id.expose(), peer.caller(), Instant::now());
    let asked = asked.await;
    match asked.outcome {
        Outcome::Vended(body, _) => request::credentials(&body).ok_or_else(|| not_yet(task)),
        Outcome::Refused(_) => Err(wire::unknown()),
        Outcome::NotYet(_) | Outcome::Unknown => Err(not_yet(task)),
    }
}

fn not_yet(task: &TaskArn) -> Response {
    let words = "The credentials of the task IAM role have not arrived yet; try again";
    wire::error(StatusCode::SERVICE_UNAVAILABLE, task, (SERVER, words))
}

fn said(task: &TaskArn, answer: &ProtectionAnswer) -> Response {
    match (answer.failures.as_slice(), answer.protected.as_slice()) {
        ([failure], _) => wire::failure(failure),
        ([], [protection]) => wire::protection(protection),
        _ => wire::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            task,
            (SERVER, "Unexpected error occurred"),
        ),
    }
}
