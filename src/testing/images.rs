//! An image source and a host without a disk: every image that the world has is ready at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::boundary::host::{CgroupLimits, DiskSpace, PortHolder};
use crate::boundary::images::{ImageError, PullView, ReadyImage};
use crate::boundary::store::ImageRecord;
use crate::boundary::{BoundaryError, Clock, ErrorKind, Host, ImageSource};
use crate::domain::ids::TaskId;
use crate::domain::image::ImageRef;
use crate::domain::port_mapping::Protocol;
use crate::domain::reason::{Reason, ReasonName};

/// Images of a registry that always answers, except for those that it does not have.
pub struct WorldImages {
    world: super::world::World,
    clock: Arc<dyn Clock>,
    missing: BTreeSet<String>,
}

impl WorldImages {
    /// Everything can be pulled but `missing`.
    pub fn new(
        world: super::world::World,
        clock: Arc<dyn Clock>,
        missing: BTreeSet<String>,
    ) -> Self {
        Self {
            world,
            clock,
            missing,
        }
    }
}

#[async_trait]
impl ImageSource for WorldImages {
    async fn ensure(&self, image: &ImageRef, _essential: bool) -> Result<ReadyImage, ImageError> {
        if self.missing.contains(image.as_str()) {
            let reason = Reason::new(ReasonName::CannotPullContainerError, "manifest unknown");
            return Err(ImageError {
                kind: ErrorKind::NotFound,
                permanent: true,
                reason,
            });
        }
        self.world
            .pull(image.as_str())
            .await
            .map_err(|error| ImageError {
                kind: error.kind,
                permanent: false,
                reason: Reason::new(ReasonName::CannotPullContainerError, error.message),
            })?;
        let now = self.clock.now();
        let record = ImageRecord {
            reference: image.normalized(),
            image_id: format!("sha256:{image}"),
            pulled_at: Some(now),
            last_used_at: now,
            size_bytes: 1,
        };
        Ok(ReadyImage {
            image_id: record.image_id.clone(),
            digest: None,
            pulled: true,
            size_bytes: 1,
            started_at: Some(now),
            stopped_at: Some(now),
            warning: None,
            record,
            superseded: None,
        })
    }

    fn set_needed(&self, _references: BTreeSet<String>) {}

    fn progress(&self) -> Arc<BTreeMap<String, PullView>> {
        Arc::default()
    }
}

/// A host with cgroups that are only remembered.
#[derive(Debug, Default)]
pub struct FakeHost {
    cgroups: Mutex<BTreeSet<TaskId>>,
}

impl FakeHost {
    /// Tasks that have a cgroup.
    pub fn cgroups(&self) -> BTreeSet<TaskId> {
        self.cgroups
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl Host for FakeHost {
    async fn create_cgroup(
        &self,
        task: &TaskId,
        _limits: CgroupLimits,
    ) -> Result<(), BoundaryError> {
        self.cgroups
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(task.clone());
        Ok(())
    }

    async fn remove_cgroup(&self, task: &TaskId) -> Result<(), BoundaryError> {
        self.cgroups
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(task);
        Ok(())
    }

    async fn port_holder(&self, _port: u16, _protocol: Protocol) -> Option<PortHolder> {
        Some(PortHolder {
            pid: 812,
            command: "stranger".to_owned(),
        })
    }

    async fn port_is_free(&self, _port: u16, _protocol: Protocol) -> bool {
        true
    }

    async fn disk_space(&self, _path: &str) -> Result<DiskSpace, BoundaryError> {
        Ok(DiskSpace {
            free_bytes: 1 << 40,
            total_bytes: 1 << 41,
        })
    }
}
