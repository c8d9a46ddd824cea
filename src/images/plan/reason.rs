//! The words of a failed pull: the registry's, with advice before them and signed addresses taken out.
//!
//! Texts are the reference agent's (`engine.md` 3.5), since people and tools match on them.

use std::time::Duration;

use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::image::ImageRef;
use crate::domain::reason::{Reason, ReasonName};
use crate::images::ImageError;

/// What the reference agent says of a pull that stopped moving.
const INACTIVE: &str = "inactivity time exceeded timeout while pulling image";

/// Begins every advice; the apostrophe is the reference agent's.
const ADVICE: &str = "The task can’t pull the image.";

/// A failed pull.
pub fn pull_failed(image: &ImageRef, error: &BoundaryError) -> ImageError {
    let redacted = redact(&error.message, image.as_str());
    let message = match advice(&redacted) {
        Some(advice) => format!("{ADVICE} {advice} {redacted}"),
        None => redacted,
    };
    failure(ReasonName::CannotPullContainerError, error.kind, message)
}

/// The registry's word, where it means that no pull can succeed.
pub fn manifest_failed(image: &ImageRef, error: &BoundaryError) -> ImageError {
    let message = redact(&error.message, image.as_str());
    failure(
        ReasonName::CannotPullImageManifestError,
        error.kind,
        message,
    )
}

/// The image is for another kind of host.
pub fn wrong_platform(image: &ImageRef, mismatch: &str) -> ImageError {
    let message = format!("{image}: {mismatch}");
    failure(
        ReasonName::CannotPullContainerError,
        ErrorKind::Invalid,
        message,
    )
}

/// No progress for too long.
pub fn inactive() -> ImageError {
    failure(
        ReasonName::CannotPullContainerError,
        ErrorKind::DeadlineExceeded,
        INACTIVE,
    )
}

/// Not a word of the pull for too long.
pub fn not_begun(limit: Duration) -> ImageError {
    timed_out("pullBegin", limit)
}

/// The whole pull took too long.
pub fn too_long(limit: Duration) -> ImageError {
    timed_out("pulled", limit)
}

fn timed_out(step: &str, limit: Duration) -> ImageError {
    let waited = go_duration(limit);
    failure(
        ReasonName::DockerTimeoutError,
        ErrorKind::DeadlineExceeded,
        format!("Could not transition to {step}; timed out after waiting {waited}"),
    )
}

/// There is no token for the registry. The way to whoever makes them is not the way to Docker: what cannot be reached
/// now may be reached at the next try.
pub fn no_token(kind: ErrorKind, message: impl Into<String>) -> ImageError {
    let kind = if kind == ErrorKind::Unavailable {
        ErrorKind::Transient
    } else {
        kind
    };
    failure(ReasonName::CannotPullECRContainerError, kind, message)
}

/// There is no login for the registry; as [`no_token`].
pub fn no_login(kind: ErrorKind, message: impl Into<String>) -> ImageError {
    let failed = no_token(kind, "");
    let name = ReasonName::CannotPullContainerAuthError;
    failure(name, failed.kind, message)
}

/// Any other failure: on the host, or of the agent itself.
pub fn other(kind: ErrorKind, message: impl Into<String>) -> ImageError {
    failure(ReasonName::CannotPullContainerError, kind, message)
}

fn failure(name: ReasonName, kind: ErrorKind, message: impl Into<String>) -> ImageError {
    ImageError {
        permanent: is_permanent(kind),
        kind,
        reason: Reason::new(name, message),
    }
}

/// Only the other side's clear word ends a pull for good. What is odd may pass: the engine backs off.
fn is_permanent(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::Invalid => true,
        ErrorKind::Unavailable
        | ErrorKind::Transient
        | ErrorKind::Throttled
        | ErrorKind::Conflict
        | ErrorKind::PortTaken
        | ErrorKind::LogDriver
        | ErrorKind::NoSpace
        | ErrorKind::DeadlineExceeded
        | ErrorKind::Cancelled => false,
    }
}

/// What the person who reads the raw text should check.
fn advice(raw: &str) -> Option<&'static str> {
    const USER: &str = "denied: User: ";
    const NOT_AUTHORIZED: &str = " is not authorized to perform: ecr:BatchGetImage on resource";
    let lacks_permission = raw
        .split_once(USER)
        .and_then(|(_, rest)| rest.find(NOT_AUTHORIZED))
        .is_some_and(|at| at > 0);
    if lacks_permission {
        Some("Check that the role has the permissions to pull images from the registry.")
    } else if raw.contains("denied: requested access to the resource is denied") {
        Some("Check whether the image exists.")
    } else if raw.contains("request canceled while waiting for connection") {
        Some("Check your network configuration.")
    } else {
        None
    }
}

/// Takes out addresses of ECR's layer buckets: they carry a signature that lets anybody read the layer.
fn redact(raw: &str, image: &str) -> String {
    const BUCKET: &str = "starport-layer-bucket";
    let is_space = |c: char| c.is_ascii_whitespace();
    let mut redacted = String::with_capacity(raw.len());
    for word in raw.split_inclusive(is_space) {
        let body = word.trim_end_matches(is_space);
        let address = body.find("https").and_then(|at| body.split_at_checked(at));
        match address.filter(|(_, address)| address.contains(BUCKET)) {
            Some((before, _)) => {
                redacted.push_str(before.strip_suffix('"').unwrap_or(before));
                redacted.push_str("REDACTED ECR URL related to ");
                redacted.push_str(image);
                redacted.push_str(word.get(body.len()..).unwrap_or_default());
            }
            None => redacted.push_str(word),
        }
    }
    redacted
}

/// A duration of whole seconds as Go prints it: `2h0m0s`, `1m0s`, `5s`.
fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> ImageRef {
        ImageRef::parse("team/web:1").unwrap()
    }

    fn said(text: &str) -> String {
        pull_failed(
            &image(),
            &BoundaryError::new("pull", ErrorKind::Denied, text),
        )
        .reason
        .message
    }

    #[test]
    fn advice_stands_before_the_registrys_words() {
        for (raw, advice) in [
            (
                "denied: User: arn:x is not authorized to perform: ecr:BatchGetImage on resource: y",
                "Check that the role has the permissions to pull images from the registry.",
            ),
            (
                "denied: requested access to the resource is denied",
                "Check whether the image exists.",
            ),
            (
                "net/http: request canceled while waiting for connection",
                "Check your network configuration.",
            ),
        ] {
            assert_eq!(
                said(raw),
                format!("The task can’t pull the image. {advice} {raw}")
            );
        }
        assert_eq!(said("manifest unknown"), "manifest unknown");
    }

    #[test]
    fn signed_addresses_of_layers_are_taken_out() {
        assert_eq!(
            said("Get \"https://prod-x-starport-layer-bucket.s3/ab?X-Sig=1\": EOF"),
            "Get REDACTED ECR URL related to team/web:1 EOF"
        );
        assert_eq!(
            said("a\tb https://x/starport-layer-bucket/1\nc"),
            "a\tb REDACTED ECR URL related to team/web:1\nc"
        );
        assert_eq!(
            said("Get https://registry/v2/: EOF"),
            "Get https://registry/v2/: EOF"
        );
    }

    #[test]
    fn only_clear_words_are_permanent() {
        for (kind, permanent) in [
            (ErrorKind::NotFound, true),
            (ErrorKind::Denied, true),
            (ErrorKind::Invalid, true),
            (ErrorKind::Unavailable, false),
            (ErrorKind::Throttled, false),
            (ErrorKind::NoSpace, false),
            (ErrorKind::DeadlineExceeded, false),
            (ErrorKind::Cancelled, false),
        ] {
            let error = pull_failed(&image(), &BoundaryError::new("pull", kind, "x"));
            assert_eq!((error.permanent, error.kind), (permanent, kind));
        }
    }

    #[test]
    fn limits_are_named_as_the_reference_agent_does() {
        assert_eq!(
            too_long(Duration::from_hours(2)).reason.to_string(),
            "DockerTimeoutError: Could not transition to pulled; timed out after waiting 2h0m0s"
        );
        assert_eq!(go_duration(Duration::from_secs(61)), "1m1s");
        assert_eq!(go_duration(Duration::from_secs(5)), "5s");
        assert_eq!(inactive().reason.message, INACTIVE);
    }
}
