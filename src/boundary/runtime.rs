//! Containers and volumes, and whether the engine that has them answers at all.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::error::BoundaryError;
use crate::domain::ids::DockerId;
use crate::domain::runtime::{
    ListedContainer, ObservedContainer, OutputChunk, OutputRange, RuntimeEvent, RuntimeInfo,
    VolumeSpec,
};
use crate::domain::spec::ContainerSpec;

/// Events until the connection ends; an `Err` is the last item.
pub type EventStream = BoxStream<'static, Result<RuntimeEvent, BoundaryError>>;

/// The container engine. Each call has a deadline of the adapter's; after `DeadlineExceeded` its effect is unknown.
#[async_trait]
pub trait ContainerRuntime: Send + Sync {
    /// The engine answers, and says what it is. Negotiates the API version anew.
    async fn info(&self) -> Result<RuntimeInfo, BoundaryError>;

    /// Every container, running or not, that carries a task label of ours and of this agent's data directory.
    /// Labels that do not parse are left out.
    async fn list(&self) -> Result<Vec<ListedContainer>, BoundaryError>;

    /// That container (by id or Docker name) as it is now; `None` = it does not exist.
    async fn inspect(&self, id_or_name: &str) -> Result<Option<ObservedContainer>, BoundaryError>;

    /// A container of that name exists and was made from an equal spec of the same task: made now or found. Variables
    /// that are left to its image it has from there, if that sets one of them.
    /// `Conflict` if a stranger has the name, `NotFound` if the image is not there.
    async fn create(&self, spec: &ContainerSpec) -> Result<DockerId, BoundaryError>;

    /// The container was started, now or before. `PortTaken` if a host port is in use, `NotFound` if it is gone.
    async fn start(&self, id: &DockerId) -> Result<(), BoundaryError>;

    /// SIGTERM (or the image's stop signal) was sent, after `grace` SIGKILL; the container is not running, or
    /// never was. Success if it is gone.
    async fn stop(&self, id: &DockerId, grace: Duration) -> Result<(), BoundaryError>;

    /// SIGKILL was sent to it. Success if it does not run or is gone.
    async fn kill(&self, id: &DockerId) -> Result<(), BoundaryError>;

    /// The container and its anonymous volumes are gone; a running one is killed first. Success if it was gone, and
    /// under a name also if that is a container of somebody else, which stays.
    async fn remove(&self, id_or_name: &str) -> Result<(), BoundaryError>;

    /// Events about containers that `list` would show, from now on.
    async fn events(&self) -> Result<EventStream, BoundaryError>;

    /// That part of a container's output.
    async fn logs(
        &self,
        id: &DockerId,
        range: OutputRange,
    ) -> Result<BoxStream<'static, Result<OutputChunk, BoundaryError>>, BoundaryError>;
}

/// Whether the container engine answers. For those who need to know no more of it.
#[async_trait]
pub trait RuntimePing: Send + Sync {
    /// It has answered within `limit`.
    async fn ping(&self, limit: Duration) -> Result<(), BoundaryError>;
}

/// Volumes of the container engine.
#[async_trait]
pub trait VolumeRuntime: Send + Sync {
    /// A volume of that name exists: made now, or found. `Conflict` if it is another agent's by its labels.
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), BoundaryError>;

    /// That volume; `None` = it does not exist.
    async fn inspect_volume(&self, name: &str) -> Result<Option<VolumeSpec>, BoundaryError>;

    /// The volume is gone. Success if it was, or if it is another agent's, which stays; `Conflict` while a container
    /// uses it.
    async fn remove_volume(&self, name: &str) -> Result<(), BoundaryError>;
}
