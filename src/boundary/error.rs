//! Errors of the outside: what was tried, what kind of failure it was, and the cause.

use std::error::Error;
use std::time::Duration;

/// What a caller can do about a failure. Decisions match on this, never on text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// The other side cannot be reached: the request did not arrive.
    Unavailable,
    /// May pass: connection reset, server error.
    Transient,
    /// The other side asks to slow down.
    Throttled,
    /// The named thing does not exist.
    NotFound,
    /// The name is taken, or the state does not allow it.
    Conflict,
    /// A host port is taken: a `Conflict` that another port may solve.
    PortTaken,
    /// The log driver refused or its backend does not answer: another driver may solve it.
    LogDriver,
    /// The request can never succeed as it is.
    Invalid,
    /// Not allowed: credentials or permissions.
    Denied,
    /// No room on a disk.
    NoSpace,
    /// No answer within the deadline; whether it took effect is unknown.
    DeadlineExceeded,
    /// The caller gave up.
    Cancelled,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Unavailable,
        Self::Transient,
        Self::Throttled,
        Self::NotFound,
        Self::Conflict,
        Self::PortTaken,
        Self::LogDriver,
        Self::Invalid,
        Self::Denied,
        Self::NoSpace,
        Self::DeadlineExceeded,
        Self::Cancelled,
    ];

    /// Whether the same request may succeed later.
    pub fn may_pass(self) -> bool {
        match self {
            Self::Unavailable
            | Self::Transient
            | Self::Throttled
            | Self::NoSpace
            | Self::DeadlineExceeded => true,
            Self::NotFound
            | Self::Conflict
            | Self::PortTaken
            | Self::LogDriver
            | Self::Invalid
            | Self::Denied
            | Self::Cancelled => false,
        }
    }

    /// Word for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::PortTaken => "port-taken",
            Self::LogDriver => "log-driver",
            Self::Invalid => "invalid",
            Self::Denied => "denied",
            Self::NoSpace => "no-space",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A failed operation of an adapter.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct BoundaryError {
    /// What was tried, with its object: `create container ecs-web-1-app-…`.
    pub operation: String,
    /// Kind.
    pub kind: ErrorKind,
    /// The other side's own words, or the deadline that passed; this level only.
    pub message: String,
    /// Cause, where there is a further one.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl BoundaryError {
    /// An error without a further cause.
    pub fn new(operation: impl Into<String>, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            operation: operation.into(),
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// No answer within `limit`.
    pub fn deadline(operation: impl Into<String>, limit: Duration) -> Self {
        let message = format!("no answer within {} s", limit.as_secs());
        Self::new(operation, ErrorKind::DeadlineExceeded, message)
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}
