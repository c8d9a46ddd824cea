//! From Docker's failures to [`ErrorKind`]: the one place that reads Docker's texts.
//!
//! **Invariant.** The message of every error holds Docker's own words, whole. The kind comes from words first, because
//! the daemon answers 500 for much that is final, and from the status code where no words are known. Words of
//! registries count only where a registry was asked: a program may fail with `permission denied` as well.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use bollard::errors::Error;

use super::endpoint::Endpoint;
use super::raw::too_long_of;
use crate::boundary::{BoundaryError, ErrorKind};

/// What was asked, as far as it changes the meaning of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Area {
    /// The daemon itself: containers, volumes, local images.
    Engine,
    /// A registry through the daemon: pull and manifest.
    Registry,
}

type Words = (&'static str, ErrorKind);

/// Lower-case words that decide wherever they occur, first match first.
const ANYWHERE: &[Words] = &[
    ("no space left on device", ErrorKind::NoSpace),
    ("disk quota exceeded", ErrorKind::NoSpace),
    ("not enough space on the disk", ErrorKind::NoSpace),
    // The daemon was exchanged under us; the next call negotiates anew.
    (CLIENT_VERSION, ErrorKind::Transient),
    ("page not found", ErrorKind::Invalid),
];

/// Begins the daemon's refusal of an API version: `client version 1.52 is too new`.
const CLIENT_VERSION: &str = "client version ";

const ENGINE: &[Words] = &[
    // Before the port words: a log backend may be refused because an address is in use as well.
    ("logging driver", ErrorKind::LogDriver),
    ("log driver", ErrorKind::LogDriver),
    ("unknown log opt", ErrorKind::LogDriver),
    ("port is already allocated", ErrorKind::PortTaken),
    ("address already in use", ErrorKind::PortTaken),
    (
        "only one usage of each socket address",
        ErrorKind::PortTaken,
    ),
    // Windows' host networking service, for a host port that is taken.
    (
        "because it is being used by another process. (0x20)",
        ErrorKind::PortTaken,
    ),
    ("is already in use by container", ErrorKind::Conflict),
    ("volume is in use", ErrorKind::Conflict),
    ("no such container", ErrorKind::NotFound),
    ("no such image", ErrorKind::NotFound),
    ("no such volume", ErrorKind::NotFound),
    // Docker up to 20.10 answers 500 for it.
    ("invalid volume specification", ErrorKind::Invalid),
    ("executable file not found", ErrorKind::Invalid),
];

const REGISTRY: &[Words] = &[
    ("toomanyrequests", ErrorKind::Throttled),
    ("too many requests", ErrorKind::Throttled),
    ("rate exceeded", ErrorKind::Throttled),
    ("invalid reference format", ErrorKind::Invalid),
    ("invalid tag format", ErrorKind::Invalid),
    ("no matching manifest for", ErrorKind::Invalid),
    ("does not match the specified platform", ErrorKind::Invalid),
    ("cannot be used on this platform", ErrorKind::Invalid),
    // For another Windows than the host's: `a Windows version 10.0.26100-based image is incompatible with a 10.0.20348
    // host`, or `… can only be run on a 10.0.17763 host using Hyper-V isolation`.
    ("-based image is incompatible with a", ErrorKind::Invalid),
    ("-based image can only be run on a", ErrorKind::Invalid),
    // Docker Hub does not tell a missing repository from a private one, and says so with both words.
    ("denied", ErrorKind::Denied),
    ("unauthorized", ErrorKind::Denied),
    ("no basic auth credentials", ErrorKind::Denied),
    ("authorization failed", ErrorKind::Denied),
    ("403 forbidden", ErrorKind::Denied),
    ("manifest unknown", ErrorKind::NotFound),
    ("name unknown", ErrorKind::NotFound),
    ("repository does not exist", ErrorKind::NotFound),
    // A name that does not resolve is `no such host`: it passes when the network is back.
    (": not found", ErrorKind::NotFound),
    (" not found: ", ErrorKind::NotFound),
];

/// The kind of a failure that Docker puts in words, with the status code if there was one.
pub(super) fn kind_of(area: Area, status: Option<u16>, message: &str) -> ErrorKind {
    let message = message.to_lowercase();
    let words = match area {
        Area::Engine => ENGINE,
        Area::Registry => REGISTRY,
    };
    ANYWHERE
        .iter()
        .chain(words)
        .find(|(words, _)| message.contains(words))
        .map_or_else(|| kind_of_status(status), |(_, kind)| *kind)
}

/// Whether what Docker does not find is an image: it names containers, networks and plugins in the same way.
pub(super) fn is_about_image(message: &str) -> bool {
    let message = message.to_lowercase();
    ["no such image", "image not known"]
        .iter()
        .any(|words| message.contains(words))
}

fn kind_of_status(status: Option<u16>) -> ErrorKind {
    match status {
        Some(404) => ErrorKind::NotFound,
        Some(409) => ErrorKind::Conflict,
        Some(401 | 403) => ErrorKind::Denied,
        Some(429) => ErrorKind::Throttled,
        Some(507) => ErrorKind::NoSpace,
        Some(400..500) => ErrorKind::Invalid,
        _ => ErrorKind::Transient,
    }
}

/// A failure of bollard as a boundary error.
/// `endpoint` is told where nothing answers there.
pub(super) fn translate(
    operation: &str,
    area: Area,
    endpoint: &Endpoint,
    error: Error,
) -> BoundaryError {
    let said = |status, message: &str| {
        let kind = kind_of(area, status, message);
        let message = match (message.trim(), status) {
            ("", Some(status)) => format!("Docker answered {status} without a word"),
            (text, _) => text.to_owned(),
        };
        BoundaryError::new(operation, kind, message)
    };
    if let Error::DockerResponseServerError {
        status_code,
        message,
    } = &error
    {
        return said(Some(*status_code), message);
    }
    if let Error::DockerStreamError { error } = &error {
        return said(None, error);
    }
    if let Some(too_long) = too_long_of(&error) {
        // Docker answers: without a cause, since there is no reason to connect anew.
        let message = format!("Docker's answer cannot be read: {too_long}");
        return BoundaryError::new(operation, ErrorKind::Transient, message);
    }
    let (kind, message) = transport(endpoint, &error);
    let told = BoundaryError::new(operation, kind, message);
    // It says the same again.
    if let Error::SocketNotFoundError(_) = error {
        return told;
    }
    told.because(error)
}

/// Failures without an answer of Docker's.
///
/// A socket that may not be used is `Unavailable`, not `Denied`: no request has arrived, so that nothing is known of
/// any image or container, and the permission may come back.
fn transport(endpoint: &Endpoint, error: &Error) -> (ErrorKind, String) {
    let cause = io_kind(error);
    if cause == Some(io::ErrorKind::PermissionDenied) {
        let words = format!(
            "no permission to use {endpoint}: run berth {}",
            endpoint.may_use()
        );
        return (ErrorKind::Unavailable, words);
    }
    if let Error::SocketNotFoundError(_) = error {
        let words = format!(
            "Docker is not running: there is no {}; {START}",
            bare(endpoint)
        );
        return (ErrorKind::Unavailable, words);
    }
    if let Error::HyperLegacyError { err } = error
        && err.is_connect()
    {
        let words = format!("Docker is not running: nobody listens on {endpoint}; {START}");
        return (ErrorKind::Unavailable, words);
    }
    if let Error::RequestTimeoutError = error {
        let words = "Docker did not answer in time";
        return (ErrorKind::DeadlineExceeded, words.to_owned());
    }
    if cause.is_some()
        || matches!(
            error,
            Error::HyperLegacyError { .. } | Error::HyperResponseError { .. }
        )
    {
        let words = "the connection to Docker broke";
        return (ErrorKind::Transient, words.to_owned());
    }
    (
        ErrorKind::Transient,
        "Docker's answer cannot be read".to_owned(),
    )
}

/// What helps where Docker is not running.
const START: &str = "start the Docker service, or name its address with DOCKER_HOST";

/// Without its article.
fn bare(endpoint: &Endpoint) -> String {
    let words = endpoint.to_string();
    words.strip_prefix("the ").unwrap_or(&words).to_owned()
}

/// A Docker that takes a connection and says nothing.
pub(super) fn silent(operation: &str, endpoint: &Endpoint, limit: Duration) -> BoundaryError {
    let words = format!(
        "no answer within {} s on {endpoint}: Docker hangs or is overloaded; see its log, and restart it if it stays so",
        limit.as_secs()
    );
    BoundaryError::new(operation, ErrorKind::DeadlineExceeded, words)
}

fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        // Transparent variants show their inner error's cause as their own, so it is looked at by name.
        if let Some(Error::IOError { err }) = error.downcast_ref::<Error>() {
            return Some(err.kind());
        }
        if let Some(Error::HyperLegacyError { err }) = error.downcast_ref::<Error>() {
            cause = Some(err);
            continue;
        }
        cause = error.source();
    }
    None
}

/// Whether another daemon, or none, may be at the other end now, so that the API version must be asked again.
pub(super) fn asks_for_negotiation(error: &BoundaryError) -> bool {
    match error.kind {
        ErrorKind::Unavailable => true,
        ErrorKind::Transient => {
            error.source.is_some() || error.message.to_lowercase().contains(CLIENT_VERSION)
        }
        ErrorKind::Throttled
        | ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::PortTaken
        | ErrorKind::LogDriver
        | ErrorKind::Invalid
        | ErrorKind::Denied
        | ErrorKind::NoSpace
        | ErrorKind::DeadlineExceeded
        | ErrorKind::Cancelled => false,
    }
}
