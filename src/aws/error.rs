//! What services of AWS and the way to them can answer, as a kind and in words without a secret.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;

use crate::boundary::{BoundaryError, ErrorKind};

/// Longest message that is passed on, in bytes; longer ones are cut.
const MAX_MESSAGE_BYTES: usize = 500;

type Failure<R> = SdkError<AssumeRoleError, R>;

/// The error of one call.
pub(super) fn from_sdk<R: HttpStatus + std::fmt::Debug>(
    operation: String,
    limit: Duration,
    error: &Failure<R>,
) -> BoundaryError {
    let failed = |kind, message: String| BoundaryError::new(operation.clone(), kind, message);
    if let Some(base) = base_credentials(error) {
        let words = format!("this host has no credentials of its own to assume it with: {base}");
        return failed(ErrorKind::Unavailable, words);
    }
    match error {
        SdkError::TimeoutError(_) => BoundaryError::deadline(operation, limit),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            BoundaryError::deadline(operation, limit)
        }
        SdkError::DispatchFailure(_) => {
            failed(ErrorKind::Unavailable, "STS cannot be reached".to_owned())
        }
        SdkError::ConstructionFailure(_) => failed(
            ErrorKind::Invalid,
            "the request cannot be made from these settings".to_owned(),
        ),
        SdkError::ServiceError(answer) => {
            let code = answer.err().code().unwrap_or_default();
            let status = answer.raw().http_status();
            let words = words_of(code, answer.err().message());
            failed(
                kind_of(code, status),
                words.unwrap_or_else(|| unreadable("STS", status)),
            )
        }
        SdkError::ResponseError(answer) => {
            let status = answer.raw().http_status();
            failed(kind_of("", status), unreadable("STS", status))
        }
        _ => failed(ErrorKind::Transient, "the call of STS failed".to_owned()),
    }
}

/// Status of a raw answer.
pub(super) trait HttpStatus {
    fn http_status(&self) -> u16;
}

impl HttpStatus for aws_sdk_sts::config::http::HttpResponse {
    fn http_status(&self) -> u16 {
        self.status().as_u16()
    }
}

/// What the host's own credentials failed with, if that was it.
fn base_credentials<R: std::fmt::Debug>(error: &Failure<R>) -> Option<String> {
    let (SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_)) = error else {
        return None;
    };
    let mut cause = Error::source(error);
    while let Some(error) = cause {
        if let Some(base) = error.downcast_ref::<CredentialsError>() {
            return Some(words_of_base(base));
        }
        cause = error.source();
    }
    None
}

pub(super) fn words_of_base(error: &CredentialsError) -> String {
    let words = match error {
        CredentialsError::CredentialsNotLoaded(_) => "none are in the environment or in a profile",
        CredentialsError::ProviderTimedOut(_) => "their source does not answer",
        CredentialsError::InvalidConfiguration(_) => "their configuration is not valid",
        CredentialsError::ProviderError(_) => "their source failed (signed out, or expired?)",
        CredentialsError::Unhandled(_) | _ => "they could not be loaded",
    };
    words.to_owned()
}

pub(super) fn kind_of(code: &str, status: u16) -> ErrorKind {
    match (code, status) {
        (
            "Throttling"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "TooManyRequests"
            | "TooManyRequestsException"
            | "SlowDown",
            _,
        )
        | (_, 429) => ErrorKind::Throttled,
        ("IDPCommunicationError" | "InternalFailure" | "ServiceUnavailable", _) | (_, 500..) => {
            ErrorKind::Transient
        }
        (
            "ValidationError"
            | "MalformedPolicyDocument"
            | "PackedPolicyTooLarge"
            | "InvalidParameterValue"
            | "InvalidParameterException"
            | "InvalidRequestException"
            | "ValidationException",
            _,
        ) => ErrorKind::Invalid,
        ("NoSuchEntity" | "ResourceNotFoundException", _) => ErrorKind::NotFound,
        ("", _) => ErrorKind::Transient,
        _ => ErrorKind::Denied,
    }
}

pub(super) fn unreadable(service: &str, status: u16) -> String {
    format!("{service} gave an answer that cannot be read (status {status})")
}

/// Code, and message where that holds names only; `None` without a code. Messages about wrong signatures repeat what
/// was signed, a token included.
pub(super) fn words_of(code: &str, message: Option<&str>) -> Option<String> {
    let tells_names = matches!(
        code,
        "AccessDenied"
            | "AccessDeniedException"
            | "InvalidParameterException"
            | "InvalidRequestException"
            | "RegionDisabledException"
            | "ResourceNotFoundException"
            | "ValidationError"
            | "ValidationException"
    );
    match message.filter(|_| tells_names) {
        Some(message) => {
            let cut = (0..=MAX_MESSAGE_BYTES)
                .rev()
                .find_map(|end| message.get(..end))
                .unwrap_or_default();
            Some(format!("{code}: {cut}"))
        }
        None => Some(code.to_owned()).filter(|code| !code.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_kinds() {
        for (code, status, kind) in [
            ("AccessDenied", 403, ErrorKind::Denied),
            ("ExpiredToken", 400, ErrorKind::Denied),
            ("InvalidClientTokenId", 403, ErrorKind::Denied),
            ("Throttling", 400, ErrorKind::Throttled),
            ("", 429, ErrorKind::Throttled),
            ("", 503, ErrorKind::Transient),
            ("InternalFailure", 500, ErrorKind::Transient),
            ("ValidationError", 400, ErrorKind::Invalid),
            ("", 200, ErrorKind::Transient),
        ] {
            assert_eq!(kind_of(code, status), kind, "{code} {status}");
        }
    }

    #[test]
    fn a_message_that_repeats_what_was_signed_is_not_passed_on() {
        let words = |code, message| words_of(code, Some(message)).unwrap();
        let signed = "The Canonical String should have been 'x-amz-security-token:marked'";
        assert_eq!(
            words("SignatureDoesNotMatch", signed),
            "SignatureDoesNotMatch"
        );
        let denied = "User: arn:aws:iam::1:user/u is not authorized";
        assert_eq!(
            words("AccessDenied", denied),
            format!("AccessDenied: {denied}")
        );
        assert!(words("AccessDenied", &"ä".repeat(9000)).len() < 520);
        assert_eq!(words_of("", Some("marked")), None);
    }
}
