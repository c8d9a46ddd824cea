//! The bodies: names and their order are the reference agent's.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

use crate::boundary::protection::{Protection, ProtectionFailure};
use crate::domain::ids::TaskArn;

#[derive(Debug, Serialize)]
struct Protected<'a> {
    protection: ProtectionBody<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProtectionBody<'a> {
    expiration_date: Option<String>,
    protection_enabled: bool,
    task_arn: &'a str,
}

#[derive(Debug, Serialize)]
struct Failed<'a> {
    failure: FailureBody<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct FailureBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<&'a str>,
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Refused<'a> {
    #[serde(rename = "requestID", skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    error: ErrorBody<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<&'a str>,
    code: &'a str,
    message: &'a str,
}

/// How the task is protected.
pub(super) fn protection(protection: &Protection) -> Response {
    let expires = protection.expires_at.and_then(|at| {
        let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
        Some(at.to_string())
    });
    let body = ProtectionBody {
        expiration_date: expires,
        protection_enabled: protection.enabled,
        task_arn: &protection.task,
    };
    with(StatusCode::OK, &Protected { protection: body })
}

/// Why the control plane does not say it.
pub(super) fn failure(failure: &ProtectionFailure) -> Response {
    let body = FailureBody {
        arn: failure.task.as_deref(),
        detail: failure.detail.as_deref(),
        reason: failure.reason.as_deref(),
    };
    with(StatusCode::OK, &Failed { failure: body })
}

/// The body of a PUT is none.
pub(super) fn undecodable() -> Response {
    let error = ErrorBody {
        arn: None,
        code: "InvalidParameterException",
        message: "UpdateTaskProtection: failed to decode request",
    };
    with(
        StatusCode::BAD_REQUEST,
        &Refused {
            request_id: None,
            error,
        },
    )
}

/// Nobody has the id.
pub(super) fn unknown() -> Response {
    let error = ErrorBody {
        arn: None,
        code: "ResourceNotFoundException",
        message: "Failed to find a task for the request",
    };
    with(
        StatusCode::NOT_FOUND,
        &Refused {
            request_id: None,
            error,
        },
    )
}

/// An error about the task.
pub(super) fn error(status: StatusCode, task: &TaskArn, said: (&str, &str)) -> Response {
    refused(status, task, said, None)
}

/// An error of the control plane about the task.
pub(super) fn refused(
    status: StatusCode,
    task: &TaskArn,
    (code, message): (&str, &str),
    request_id: Option<&str>,
) -> Response {
    let error = ErrorBody {
        arn: Some(task.as_str()),
        code,
        message,
    };
    with(status, &Refused { request_id, error })
}

fn with(status: StatusCode, body: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
