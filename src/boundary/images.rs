//! Images, on the host and in registries.

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::error::{BoundaryError, ErrorKind};
use crate::domain::ids::UnixMillis;
use crate::domain::image::ImageRef;
use crate::domain::reason::Reason;
use crate::domain::runtime::{LocalImage, PullProgress, RemoteManifest};

/// Progress of a pull until it ends; the stream's end without an `Err` means the image is there.
pub type PullStream = BoxStream<'static, Result<PullProgress, BoundaryError>>;

/// Images of the container engine and what registries say of them.
#[async_trait]
pub trait ImageRuntime: Send + Sync {
    /// That image on the host, by reference or id; `None` = it is not there.
    async fn inspect_image(&self, reference: &str) -> Result<Option<LocalImage>, BoundaryError>;

    /// What the registry says of it. `NotFound` and `Denied` are the registry's word and final.
    async fn remote_manifest(&self, image: &ImageRef) -> Result<RemoteManifest, BoundaryError>;

    /// Starts a pull. The stream yields on every message of the engine; dropping it cancels the pull.
    async fn pull(&self, image: &ImageRef) -> Result<PullStream, BoundaryError>;

    /// Every image on the host.
    async fn list_images(&self) -> Result<Vec<LocalImage>, BoundaryError>;

    /// Image ids that any container on the host uses, running or not.
    async fn images_in_use(&self) -> Result<Vec<String>, BoundaryError>;

    /// The name or id is gone; `Conflict` while a container uses it. Success if it was gone.
    async fn remove_image(&self, reference: &str) -> Result<(), BoundaryError>;

    /// An image of that name exists, made from a docker-save archive.
    async fn load_image(&self, archive: Vec<u8>) -> Result<(), BoundaryError>;
}

/// An image that is ready to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyImage {
    /// What to remember of it.
    pub record: super::store::ImageRecord,
    /// Repository digest, `sha256:…`, if it is known.
    pub digest: Option<String>,
    /// When the pull began and ended, if there was one.
    pub pulled: Option<(UnixMillis, UnixMillis)>,
    /// Something the operator should know: the pull failed and the image on the host is used.
    pub warning: Option<String>,
}

/// Why an image cannot be made ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageError {
    /// Kind.
    pub kind: ErrorKind,
    /// Will fail again until somebody changes something.
    pub permanent: bool,
    /// In the reference agent's words (`engine.md` 3.5).
    pub reason: Reason,
}

/// Makes images ready: pull policy, single flight and limits are behind it.
#[async_trait]
pub trait ImageSource: Send + Sync {
    /// The image is on the host, by the pull policy in force. Dropping the call gives up this caller's interest.
    async fn ensure(&self, image: &ImageRef) -> Result<ReadyImage, ImageError>;

    /// From now on, images that these references name are never cleaned up.
    fn set_needed(&self, references: std::collections::BTreeSet<String>);

    /// How far the pulls are, by reference.
    fn progress(&self) -> std::collections::BTreeMap<String, PullProgress>;
}
