//! An image source and a host without a disk: every image that the world has is ready at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::boundary::host::{CgroupLimits, DiskSpace, PortHolder};
use crate::boundary::images::{ImageError, PullView, ReadyImage};
use crate::boundary::registry::RegistryToken;
use crate::boundary::secrets::{SecretValues, SecretsWish};
use crate::boundary::store::ImageRecord;
use crate::boundary::{
    BoundaryError, Clock, ErrorKind, Host, ImageSource, SecretSource, TaskSecrets, TokenSource,
};
use crate::domain::credentials::CredentialsId;
use crate::domain::ids::TaskId;
use crate::domain::image::ImageRef;
use crate::domain::port_mapping::Protocol;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::registry::{EcrAccess, RegistryAccess};
use crate::domain::secret::Secret;
use crate::domain::secret_place::SecretPart;

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
    async fn ensure(
        &self,
        image: &ImageRef,
        _access: &RegistryAccess,
        _essential: bool,
    ) -> Result<ReadyImage, ImageError> {
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

/// No registry has a token.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTokens;

#[async_trait]
impl TokenSource for NoTokens {
    async fn token(&self, access: &EcrAccess) -> Result<RegistryToken, BoundaryError> {
        let operation = format!("make a token for {}", access.registry_id);
        Err(BoundaryError::new(
            operation,
            ErrorKind::Denied,
            "there is none",
        ))
    }
}

#[async_trait]
impl SecretSource for NoTokens {
    async fn parameters(
        &self,
        _role: &CredentialsId,
        _region: Option<&str>,
        names: &[String],
    ) -> Result<BTreeMap<String, Secret<String>>, BoundaryError> {
        let operation = format!("ask for {}", names.join(", "));
        Err(BoundaryError::new(
            operation,
            ErrorKind::Denied,
            "there is none",
        ))
    }

    async fn secret(
        &self,
        _role: &CredentialsId,
        part: &SecretPart,
    ) -> Result<Secret<String>, BoundaryError> {
        let operation = format!("ask for {}", part.id);
        Err(BoundaryError::new(
            operation,
            ErrorKind::Denied,
            "there is none",
        ))
    }
}

/// Values of tasks in a simulation: every place has one, unless a script says otherwise.
#[derive(Debug, Default)]
pub struct FakeSecrets {
    held: Mutex<BTreeMap<TaskId, SecretValues>>,
    fails: Mutex<Option<ErrorKind>>,
    asked: Mutex<u32>,
}

impl FakeSecrets {
    /// Every fetch ends so from now on; `None` = well.
    pub fn fail(&self, kind: Option<ErrorKind>) {
        *self.fails.lock().unwrap_or_else(PoisonError::into_inner) = kind;
    }

    /// Fetches so far.
    pub fn asked(&self) -> u32 {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process has ended: nothing is held any more.
    pub fn lose(&self) {
        self.locked().clear();
    }

    /// How many tasks something is held of.
    pub fn tasks(&self) -> usize {
        self.locked().len()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<TaskId, SecretValues>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TaskSecrets for FakeSecrets {
    async fn fetch(&self, wish: &SecretsWish) -> Result<(), BoundaryError> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let fails = *self.fails.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = fails {
            return Err(BoundaryError::new("get secrets", kind, "no secrets"));
        }
        let values = wish.places.iter();
        let values = values.map(|place| (place.clone(), format!("value-of-{place}").into()));
        let mut held = self.locked();
        let of_task = held.entry(wish.task.task_id().clone()).or_default();
        of_task.0.extend(values);
        Ok(())
    }

    fn held(&self, task: &TaskId) -> SecretValues {
        self.locked().get(task).cloned().unwrap_or_default()
    }

    fn forget(&self, task: &TaskId) {
        self.locked().remove(task);
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
