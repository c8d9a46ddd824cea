//! What callers get: an image that is there, why it is not, or how far it is.

use crate::boundary::ErrorKind;
use crate::boundary::store::ImageRecord;
use crate::domain::ids::UnixMillis;
use crate::domain::reason::Reason;
use crate::domain::runtime::PullProgress;

/// An image that is on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyImage {
    /// `sha256:…` of the image's configuration, as containers are created from.
    pub image_id: String,
    /// `sha256:…` of the manifest or index in the registry, where one is known.
    pub digest: Option<String>,
    /// Whether a pull succeeded now.
    pub pulled: bool,
    /// Bytes on disk, shared layers included.
    pub size_bytes: u64,
    /// When a pull began; `None` if none was tried.
    pub started_at: Option<UnixMillis>,
    /// When it ended, well or not.
    pub stopped_at: Option<UnixMillis>,
    /// Why the image on the host is used although a pull was asked for.
    pub warning: Option<String>,
    /// To be remembered. A durable store must have it before the image is cleaned up or pulled `once`.
    pub record: ImageRecord,
    /// To be remembered too: the image that this name meant before, kept under its id so that it is cleaned up.
    pub superseded: Option<ImageRecord>,
}

/// Why an image cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ImageError {
    /// The same request can never succeed: the registry or the image says so.
    pub permanent: bool,
    /// Kind of failure.
    pub kind: ErrorKind,
    /// What users and ECS see.
    pub reason: Reason,
}

/// One image that is being made ready.
#[derive(Clone, Debug, PartialEq)]
pub struct PullView {
    /// What it does now.
    pub state: PullState,
    /// Whether an essential container waits for it.
    pub essential: bool,
    /// In this state since.
    pub since: UnixMillis,
}

/// What is being done for an image.
#[derive(Clone, Debug, PartialEq)]
pub enum PullState {
    /// The image on the host is looked at, or made.
    Checking,
    /// The registry is asked about it.
    Resolving,
    /// Too many pulls run.
    Waiting {
        /// Place in the queue; 1 is next.
        position: usize,
    },
    /// Being pulled.
    Pulling {
        /// How far.
        progress: PullProgress,
        /// Bytes received and unpacked in a second, since the pull began.
        bytes_per_sec: u64,
        /// Last time that `progress` changed.
        changed_at: UnixMillis,
    },
}
