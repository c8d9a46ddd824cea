//! What a call can fail with: the control plane's own code, or what kept the call from it.

use std::time::Duration;

use aws_sdk_ecs::config::http::HttpResponse;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};

use crate::error::ErrorChain;

/// Longest message that is passed on, in bytes.
const MAX_MESSAGE_BYTES: usize = 500;

/// Codes by which AWS refuses calls for their number.
const THROTTLED: [&str; 5] = [
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
];

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct ApiError {
    /// The operation's name.
    pub operation: &'static str,
    /// What kind of failure.
    pub failure: Failure,
    /// In words.
    pub message: String,
}

/// What kind of failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The control plane answered with this code.
    Code(String),
    /// It could not be reached, or its answer not be read.
    Unreachable,
    /// No answer in time; whether it took effect is not known.
    Late,
}

impl ApiError {
    /// The code of the answer, if there was one.
    pub fn code(&self) -> &str {
        match &self.failure {
            Failure::Code(code) => code,
            Failure::Unreachable | Failure::Late => "",
        }
    }

    /// Whether it was refused for the number of calls, whoever made them.
    pub fn is_throttled(&self) -> bool {
        THROTTLED.contains(&self.code())
    }

    pub(super) fn late(operation: &'static str, limit: Duration) -> Self {
        Self {
            operation,
            failure: Failure::Late,
            message: format!("no answer within {} s", limit.as_secs()),
        }
    }

    pub(super) fn without(operation: &'static str, what: &str) -> Self {
        Self {
            operation,
            failure: Failure::Unreachable,
            message: format!("the answer has no {what}"),
        }
    }
}

/// The error of one call.
pub(super) fn from_sdk<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> ApiError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let failed = |failure, message: String| ApiError {
        operation,
        failure,
        message: cut(message),
    };
    if let SdkError::ServiceError(answer) = error
        && let Some(code) = answer.err().code()
    {
        let message = answer.err().message().unwrap_or_default();
        return failed(Failure::Code(code.to_owned()), format!("{code}: {message}"));
    }
    if let SdkError::TimeoutError(_) = error {
        return failed(Failure::Late, "no answer in time".to_owned());
    }
    failed(Failure::Unreachable, unreadable(error))
}

/// What kept a call from an answer that says anything: the causes, after the status where something has answered.
pub(super) fn unreadable<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: std::error::Error + 'static,
{
    let causes = ErrorChain(error);
    match error.raw_response() {
        Some(answer) => format!("HTTP {}: {causes}", answer.status()),
        None => causes.to_string(),
    }
}

fn cut(mut message: String) -> String {
    let end = (0..=MAX_MESSAGE_BYTES.min(message.len())).rev();
    let end = end.into_iter().find(|&at| message.is_char_boundary(at));
    message.truncate(end.unwrap_or(0));
    message
}
