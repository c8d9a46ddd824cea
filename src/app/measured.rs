//! Docker and the store behind a stopwatch: every call is timed and its failures are counted by kind. What becomes of
//! requests for credentials is counted on its way to their record.
//!
//! **Invariant.** Nothing else is changed: the answer, the error and when a call is given up are those of what is
//! measured.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use tokio::time::Instant;

use crate::boundary::credentials::AuditEntry;
use crate::boundary::images::{ImageError, PullStream, PullView, ReadyImage};
use crate::boundary::store::{Change, Loaded, StoredEvent};
use crate::boundary::{
    AuditLog, BoundaryError, ContainerRuntime, EventStream, ImageRuntime, ImageSource, TaskStore,
    VolumeRuntime,
};
use crate::domain::disk::DiskUse;
use crate::domain::ids::{DockerId, TaskArn};
use crate::domain::image::ImageRef;
use crate::domain::registry::{RegistryAccess, RegistryLogin};
use crate::domain::runtime::{
    ListedContainer, LocalImage, ObservedContainer, OutputChunk, OutputRange, RemoteManifest,
    RuntimeInfo, VolumeSpec,
};
use crate::domain::spec::ContainerSpec;
use crate::metrics::Counted;

/// Something whose calls are measured.
#[derive(Clone)]
pub struct Measured<T: ?Sized> {
    counted: Arc<Counted>,
    inner: Arc<T>,
}

impl<T: ?Sized> Measured<T> {
    /// `inner`, measured.
    pub fn new(inner: Arc<T>, counted: Arc<Counted>) -> Self {
        Self { counted, inner }
    }
}

impl<T: ?Sized + Send + Sync> Measured<T> {
    async fn docker<A: Send>(
        &self,
        op: &'static str,
        call: impl Future<Output = Result<A, BoundaryError>> + Send,
    ) -> Result<A, BoundaryError> {
        let began = Instant::now();
        let answer = call.await;
        let failure = answer.as_ref().err().map(|error| error.kind);
        self.counted.docker_call(op, began.elapsed(), failure);
        answer
    }
}

impl<T: AuditLog + ?Sized> AuditLog for Measured<T> {
    fn record(&self, entry: AuditEntry) {
        self.counted.credentials(&entry);
        self.inner.record(entry);
    }
}

#[async_trait]
impl<T: ContainerRuntime + ?Sized> ContainerRuntime for Measured<T> {
    async fn info(&self) -> Result<RuntimeInfo, BoundaryError> {
        self.docker("info", self.inner.info()).await
    }

    async fn list(&self) -> Result<Vec<ListedContainer>, BoundaryError> {
        self.docker("list", self.inner.list()).await
    }

    async fn inspect(&self, id_or_name: &str) -> Result<Option<ObservedContainer>, BoundaryError> {
        self.docker("inspect", self.inner.inspect(id_or_name)).await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<DockerId, BoundaryError> {
        self.docker("create", self.inner.create(spec)).await
    }

    async fn start(&self, id: &DockerId) -> Result<(), BoundaryError> {
        self.docker("start", self.inner.start(id)).await
    }

    async fn stop(&self, id: &DockerId, grace: Duration) -> Result<(), BoundaryError> {
        self.docker("stop", self.inner.stop(id, grace)).await
    }

    async fn kill(&self, id: &DockerId) -> Result<(), BoundaryError> {
        self.docker("kill", self.inner.kill(id)).await
    }

    async fn remove(&self, id_or_name: &str) -> Result<(), BoundaryError> {
        self.docker("remove", self.inner.remove(id_or_name)).await
    }

    async fn events(&self) -> Result<EventStream, BoundaryError> {
        self.docker("events", self.inner.events()).await
    }

    async fn logs(
        &self,
        id: &DockerId,
        range: OutputRange,
    ) -> Result<BoxStream<'static, Result<OutputChunk, BoundaryError>>, BoundaryError> {
        self.docker("logs", self.inner.logs(id, range)).await
    }
}

#[async_trait]
impl<T: VolumeRuntime + ?Sized> VolumeRuntime for Measured<T> {
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), BoundaryError> {
        self.docker("create-volume", self.inner.create_volume(spec))
            .await
    }

    async fn inspect_volume(&self, name: &str) -> Result<Option<VolumeSpec>, BoundaryError> {
        self.docker("inspect-volume", self.inner.inspect_volume(name))
            .await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), BoundaryError> {
        self.docker("remove-volume", self.inner.remove_volume(name))
            .await
    }
}

#[async_trait]
impl<T: ImageRuntime + ?Sized> ImageRuntime for Measured<T> {
    async fn inspect_image(&self, reference: &str) -> Result<Option<LocalImage>, BoundaryError> {
        self.docker("inspect-image", self.inner.inspect_image(reference))
            .await
    }

    async fn remote_manifest(
        &self,
        image: &ImageRef,
        login: Option<&RegistryLogin>,
    ) -> Result<RemoteManifest, BoundaryError> {
        self.docker("remote-manifest", self.inner.remote_manifest(image, login))
            .await
    }

    async fn pull(
        &self,
        image: &ImageRef,
        login: Option<&RegistryLogin>,
    ) -> Result<PullStream, BoundaryError> {
        self.docker("pull", self.inner.pull(image, login)).await
    }

    async fn list_images(&self) -> Result<Vec<LocalImage>, BoundaryError> {
        self.docker("list-images", self.inner.list_images()).await
    }

    async fn images_in_use(&self) -> Result<Vec<String>, BoundaryError> {
        self.docker("images-in-use", self.inner.images_in_use())
            .await
    }

    async fn remove_image(&self, reference: &str) -> Result<(), BoundaryError> {
        self.docker("remove-image", self.inner.remove_image(reference))
            .await
    }

    async fn load_image(&self, archive: Vec<u8>) -> Result<(), BoundaryError> {
        self.docker("load-image", self.inner.load_image(archive))
            .await
    }

    async fn disk_use(&self) -> Result<DiskUse, BoundaryError> {
        self.docker("disk-use", self.inner.disk_use()).await
    }
}

#[async_trait]
impl<T: TaskStore + ?Sized> TaskStore for Measured<T> {
    async fn load(&self) -> Result<Loaded, BoundaryError> {
        let answer = self.inner.load().await;
        let failure = answer.as_ref().err().map(|error| error.kind);
        self.counted.store_failure(failure);
        answer
    }

    async fn commit(&self, changes: &[Change]) -> Result<i64, BoundaryError> {
        let began = Instant::now();
        let answer = self.inner.commit(changes).await;
        let failure = answer.as_ref().err().map(|error| error.kind);
        self.counted.commit(began.elapsed(), failure);
        answer
    }

    async fn commit_unflushed(&self, changes: &[Change]) -> Result<i64, BoundaryError> {
        let began = Instant::now();
        let answer = self.inner.commit_unflushed(changes).await;
        let failure = answer.as_ref().err().map(|error| error.kind);
        self.counted.commit(began.elapsed(), failure);
        answer
    }

    async fn flush(&self) -> Result<(), BoundaryError> {
        let answer = self.inner.flush().await;
        let failure = answer.as_ref().err().map(|error| error.kind);
        self.counted.store_failure(failure);
        answer
    }

    async fn events_after(
        &self,
        task: Option<&TaskArn>,
        sequence: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, BoundaryError> {
        let answer = self.inner.events_after(task, sequence, limit).await;
        let failure = answer.as_ref().err().map(|error| error.kind);
        self.counted.store_failure(failure);
        answer
    }

    async fn events_gone_after(
        &self,
        task: Option<&TaskArn>,
        sequence: i64,
    ) -> Result<Option<i64>, BoundaryError> {
        let answer = self.inner.events_gone_after(task, sequence).await;
        let failure = answer.as_ref().err().map(|error| error.kind);
        self.counted.store_failure(failure);
        answer
    }

    async fn recent_events(&self, per_task: u32) -> Result<Vec<StoredEvent>, BoundaryError> {
        let answer = self.inner.recent_events(per_task).await;
        let failure = answer.as_ref().err().map(|error| error.kind);
        self.counted.store_failure(failure);
        answer
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[async_trait]
impl<T: ImageSource + ?Sized> ImageSource for Measured<T> {
    async fn ensure(
        &self,
        image: &ImageRef,
        access: &RegistryAccess,
        essential: bool,
    ) -> Result<ReadyImage, ImageError> {
        let answer = self.inner.ensure(image, access, essential).await;
        match &answer {
            Ok(ready) if ready.pulled => {
                let times = ready.started_at.zip(ready.stopped_at);
                if let Some((began, ended)) = times {
                    self.counted.pulled(ended.since(began));
                }
            }
            Ok(_) => {}
            Err(error) => self.counted.pull_failed(error.kind),
        }
        answer
    }

    fn set_needed(&self, references: BTreeSet<String>) {
        self.inner.set_needed(references);
    }

    fn progress(&self) -> Arc<BTreeMap<String, PullView>> {
        self.inner.progress()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::admin::testing::{FakeEvents, FakeOutput};
    use crate::boundary::ErrorKind;
    use crate::boundary::images::Inventory;
    use crate::domain::ids::UnixMillis;
    use crate::metrics::{Format, ReadOff};

    #[tokio::test]
    async fn calls_and_their_failures_are_counted_and_passed_on() {
        let counted = Arc::new(Counted::new());
        let docker = Measured::new(Arc::new(FakeOutput::default()), Arc::clone(&counted));
        let refused = docker.list().await.expect_err("the fake lists nothing");
        assert_eq!(refused.kind, ErrorKind::Transient);
        let store = Measured::new(Arc::new(FakeEvents::default()), Arc::clone(&counted));
        store
            .commit(&[])
            .await
            .expect_err("the fake commits nothing");
        store.events_after(None, 0, 1).await.expect("no events");
        let read_off = ReadOff {
            snapshot: Arc::default(),
            inventory: Inventory::default(),
            process: None,
            tasks: Vec::new(),
            audit_dropped: 0,
            control_plane: None,
            now: UnixMillis(0),
        };
        let text = counted.text(&read_off, Format::Prometheus);
        for line in [
            r#"ecs_agent_docker_call_errors_total{op="list",code="transient"} 1"#,
            r#"ecs_agent_state_store_errors_total{code="transient"} 1"#,
            "ecs_agent_state_store_write_seconds_count 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
