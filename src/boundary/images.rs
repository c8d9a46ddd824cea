//! Images, on the host and in registries.

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::error::BoundaryError;
use crate::domain::image::ImageRef;
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
