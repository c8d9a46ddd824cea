//! Images, on the host and in registries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::error::{BoundaryError, ErrorKind};
use super::host::DiskSpace;
use super::store::ImageRecord;
use crate::domain::disk::DiskUse;
use crate::domain::ids::UnixMillis;
use crate::domain::image::ImageRef;
use crate::domain::reason::Reason;
use crate::domain::registry::{RegistryAccess, RegistryLogin};
use crate::domain::runtime::{LocalImage, PullProgress, RemoteManifest};

/// Progress of a pull until it ends; the stream's end without an `Err` means the image is there.
pub type PullStream = BoxStream<'static, Result<PullProgress, BoundaryError>>;

/// Images of the container engine and what registries say of them.
#[async_trait]
pub trait ImageRuntime: Send + Sync {
    /// That image on the host, by reference or id; `None` = it is not there.
    async fn inspect_image(&self, reference: &str) -> Result<Option<LocalImage>, BoundaryError>;

    /// What the registry says of it to whoever has the login. `NotFound` and `Denied` are the registry's word and
    /// final.
    async fn remote_manifest(
        &self,
        image: &ImageRef,
        login: Option<&RegistryLogin>,
    ) -> Result<RemoteManifest, BoundaryError>;

    /// Starts a pull. The stream yields on every message of the engine; dropping it cancels the pull.
    async fn pull(
        &self,
        image: &ImageRef,
        login: Option<&RegistryLogin>,
    ) -> Result<PullStream, BoundaryError>;

    /// Every image on the host.
    async fn list_images(&self) -> Result<Vec<LocalImage>, BoundaryError>;

    /// Image ids that any container on the host uses, running or not.
    async fn images_in_use(&self) -> Result<Vec<String>, BoundaryError>;

    /// The name or id is gone; `Conflict` while a container uses it. Success if it was gone.
    async fn remove_image(&self, reference: &str) -> Result<(), BoundaryError>;

    /// An image of that name exists, made from a docker-save archive.
    async fn load_image(&self, archive: Vec<u8>) -> Result<(), BoundaryError>;

    /// What images, containers and volumes take on the disk. The engine walks all of them for it: not for every day.
    async fn disk_use(&self) -> Result<DiskUse, BoundaryError>;
}

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

/// Makes images ready: pull policy, single flight and limits are behind it.
#[async_trait]
pub trait ImageSource: Send + Sync {
    /// The image is on the host and fit to run, by the pull policy in force. All calls for one reference with the same
    /// rights share one pull; it is cancelled when the last of them is dropped. `essential` images are pulled before
    /// others.
    async fn ensure(
        &self,
        image: &ImageRef,
        access: &RegistryAccess,
        essential: bool,
    ) -> Result<ReadyImage, ImageError>;

    /// References that desired tasks need: never cleaned up. Replaces the former set.
    fn set_needed(&self, references: BTreeSet<String>);

    /// What is being made ready, by reference with explicit tag.
    fn progress(&self) -> Arc<BTreeMap<String, PullView>>;
}

/// What is known of the host's images without asking anybody.
pub trait ImageInventory: Send + Sync {
    /// As of now, from memory.
    fn inventory(&self) -> Inventory;
}

/// The host's images as the agent remembers them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// Images by reference: those that tasks used, those being made ready, and others that the last look found.
    pub images: Vec<ImageEntry>,
    /// The disk that holds them; `None` until it has been looked at.
    pub disk: Option<InventoryDisk>,
    /// What is on that disk and whose it is; `None` until it has been looked at.
    pub disk_use: Option<InventoryUse>,
    /// Last time that all images were looked at.
    pub looked_at: Option<UnixMillis>,
    /// Whether images are removed at all.
    pub cleans_up: bool,
}

/// One image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageEntry {
    /// Reference with an explicit tag, else the id.
    pub reference: String,
    /// `sha256:…`, once known.
    pub image_id: Option<String>,
    /// Bytes on disk, shared layers included; 0 = not known yet.
    pub size_bytes: u64,
    /// Pulled by the agent.
    pub pulled_at: Option<UnixMillis>,
    /// Last time a task used it.
    pub last_used_at: Option<UnixMillis>,
    /// Why it stays; `None` = the next clean-up may remove it.
    pub kept: Option<&'static str>,
    /// When it may be removed at the earliest, where that is a matter of its age.
    pub removable_at: Option<UnixMillis>,
    /// What is being done to make it ready.
    pub pull: Option<PullView>,
}

/// A disk at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryDisk {
    /// Where Docker keeps images.
    pub path: String,
    /// Its space.
    pub space: DiskSpace,
    /// When it was looked at.
    pub at: UnixMillis,
}

/// What is on the disk of images at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryUse {
    /// By the engine's count.
    pub engine: DiskUse,
    /// What the agent itself keeps; `None` = it is not known.
    pub own: Option<OwnFiles>,
    /// The disk's space then.
    pub space: DiskSpace,
    /// When it was looked at.
    pub at: UnixMillis,
    /// How long the engine took to count.
    pub took: Duration,
}

/// The agent's own files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnFiles {
    /// Their sizes in bytes, added up.
    pub bytes: u64,
    /// Whether they are on the disk of images.
    pub same_disk: bool,
}
