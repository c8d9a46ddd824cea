//! Metadata files of containers: written before each is made, again when it runs, taken away with its task.
//!
//! **Invariants.** A file is replaced whole, so that nobody reads half of one. What goes wrong here is told, and keeps no
//! container from anything. Directories are found again by name: after a restart what a task has left is taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::lifecycle::Group;
use crate::api::metadata_file::{initial, ready};
use crate::api::view::SeenTask;
use crate::boundary::{BoundaryError, ContainerRuntime, EventStream};
use crate::config::Config;
use crate::domain::ids::DockerId;
use crate::domain::names::{METADATA_FILE, METADATA_FILE_VARIABLE, metadata_directory};
use crate::domain::runtime::{
    ListedContainer, ObservedContainer, OutputChunk, OutputRange, RuntimeInfo,
};
use crate::domain::spec::ContainerSpec;
use crate::domain::status::ContainerStatus;
use crate::platform::{exchange_file, readable_directory};
use crate::reconcile::ReconcilerHandle;
use crate::reconcile::snapshot::Snapshot;

/// Name of the new file until it takes the place of the old one.
const NEW_FILE: &str = ".new";

/// Pause after news of the engine: they come in bursts.
const NEWS_PAUSE: Duration = Duration::from_millis(100);

/// Directory of all metadata files, if there are to be any.
pub(super) fn root(config: &Config, data_dir: &Path) -> Option<String> {
    if !config.task_server.metadata_files {
        return None;
    }
    // Docker takes absolute paths only.
    let data_dir = std::path::absolute(data_dir).ok()?;
    data_dir.join("metadata").to_str().map(str::to_owned)
}

/// A runtime that writes a container's first file before it makes it.
pub(super) struct WithFiles {
    inner: Arc<dyn ContainerRuntime>,
}

impl WithFiles {
    /// `inner`, with files for containers that are told of one.
    pub(super) fn new(inner: Arc<dyn ContainerRuntime>) -> Self {
        Self { inner }
    }
}

#[async_trait]
impl ContainerRuntime for WithFiles {
    async fn info(&self) -> Result<RuntimeInfo, BoundaryError> {
        self.inner.info().await
    }

    async fn list(&self) -> Result<Vec<ListedContainer>, BoundaryError> {
        self.inner.list().await
    }

    async fn inspect(&self, id_or_name: &str) -> Result<Option<ObservedContainer>, BoundaryError> {
        self.inner.inspect(id_or_name).await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<DockerId, BoundaryError> {
        if let Some(directory) = directory_of(spec) {
            let text = initial(spec);
            blocking(move || {
                let made = readable_directory(&directory);
                told(&directory, made.and_then(|()| write(&directory, &text)));
            })
            .await;
        }
        self.inner.create(spec).await
    }

    async fn start(&self, id: &DockerId) -> Result<(), BoundaryError> {
        self.inner.start(id).await
    }

    async fn stop(&self, id: &DockerId, grace: Duration) -> Result<(), BoundaryError> {
        self.inner.stop(id, grace).await
    }

    async fn kill(&self, id: &DockerId) -> Result<(), BoundaryError> {
        self.inner.kill(id).await
    }

    async fn remove(&self, id_or_name: &str) -> Result<(), BoundaryError> {
        self.inner.remove(id_or_name).await
    }

    async fn events(&self) -> Result<EventStream, BoundaryError> {
        self.inner.events().await
    }

    async fn logs(
        &self,
        id: &DockerId,
        range: OutputRange,
    ) -> Result<BoxStream<'static, Result<OutputChunk, BoundaryError>>, BoundaryError> {
        self.inner.logs(id, range).await
    }
}

/// The directory on the host of the file that the container is told of.
fn directory_of(spec: &ContainerSpec) -> Option<PathBuf> {
    let told = spec.environment.get(METADATA_FILE_VARIABLE)?;
    let mount = told.strip_suffix(METADATA_FILE)?.strip_suffix('/')?;
    let bind = spec.binds.iter().find(|bind| bind.target == mount)?;
    Some(PathBuf::from(&bind.source))
}

/// Starts what keeps files below `root`, if there are to be any.
pub(super) fn start(
    root: Option<String>,
    config: &Config,
    engine: &ReconcilerHandle,
    group: &mut Group,
) {
    if let Some(root) = root {
        let cluster = config.cluster.to_string();
        let kept = keep(root, cluster, engine.clone(), group.stop_token());
        group.start("metadata files", kept);
    }
}

/// Keeps the files of containers that run as they are known, and takes away those of tasks that are gone, until `stop`.
async fn keep(root: String, cluster: String, engine: ReconcilerHandle, stop: CancellationToken) {
    let mut changes = engine.changes();
    let mut written = BTreeMap::new();
    loop {
        changes.borrow_and_update();
        let snapshot = engine.snapshot();
        let (is_whole, tasks) = (snapshot.engine.relisted_at.is_some(), names(&snapshot));
        let wanted = wanted(&root, &cluster, &snapshot);
        let fresh = wanted
            .iter()
            .filter(|(directory, text)| written.get(*directory) != Some(*text))
            .map(|(directory, text)| (directory.clone(), text.clone()))
            .collect();
        write_soon(fresh).await;
        written = wanted;
        // Before Docker was asked once, tasks may be missing that are to be found again.
        if is_whole {
            let place = Path::new(&root).join(&cluster);
            blocking(move || remove_others(&place, &tasks)).await;
        }
        let news = async {
            // An engine that has ended publishes nothing more.
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(NEWS_PAUSE).await;
        };
        if stop.run_until_cancelled(news).await.is_none() {
            return;
        }
    }
}

/// Texts of all containers that run, by the directory on the host.
fn wanted(root: &str, cluster: &str, snapshot: &Snapshot) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut wanted = BTreeMap::new();
    for view in snapshot.tasks.values() {
        let seen = SeenTask::new(&view.task, cluster);
        let runs = seen.containers.iter().filter(|container| {
            container.known == ContainerStatus::Running && container.docker_id.is_some()
        });
        for container in runs {
            let task = view.task.desired.arn.task_id();
            let directory = metadata_directory(root, cluster, task, &container.name);
            wanted.insert(PathBuf::from(directory), ready(&seen, container));
        }
    }
    wanted
}

fn names(snapshot: &Snapshot) -> BTreeSet<String> {
    let tasks = snapshot.tasks.keys();
    tasks.map(|arn| arn.task_id().to_string()).collect()
}

/// Writes the files; those of containers that were made without one have no directory, and get none later.
async fn write_soon(texts: BTreeMap<PathBuf, Vec<u8>>) {
    if texts.is_empty() {
        return;
    }
    blocking(move || {
        for (directory, text) in texts {
            match write(&directory, &text) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                written => told(&directory, written),
            }
        }
    })
    .await;
}

fn told(directory: &Path, written: io::Result<()>) {
    if let Err(error) = written {
        let directory = directory.display();
        warn!(event = "metadata-file-failing", %error, %directory, "a container's metadata file cannot be written");
    }
}

async fn blocking(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = tokio::task::spawn_blocking(work).await {
        warn!(event = "metadata-file-failing", %error, "metadata files could not be looked after");
    }
}

/// The directory's file has that text. Where the system can, the old one or the new one is there at any time.
fn write(directory: &Path, text: &[u8]) -> io::Result<()> {
    exchange_file(
        &directory.join(METADATA_FILE),
        &directory.join(NEW_FILE),
        text,
    )
}

/// Only directories of these tasks are left.
fn remove_others(place: &Path, tasks: &BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(place) else {
        return;
    };
    for entry in entries.flatten() {
        if tasks.contains(&*entry.file_name().to_string_lossy()) {
            continue;
        }
        if let Err(error) = fs::remove_dir_all(entry.path()) {
            let path = entry.path();
            warn!(event = "metadata-file-failing", %error, path = %path.display(), "metadata files of a task that is gone are left");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ContainerName;
    use crate::domain::task::{KnownContainer, Task};
    use crate::reconcile::snapshot::TaskView;
    use crate::testing::store_contract::desired;

    fn file(directory: &Path) -> Option<String> {
        fs::read_to_string(directory.join(METADATA_FILE)).ok()
    }

    // Windows exchanges no file that somebody has open.
    #[cfg(unix)]
    #[test]
    fn a_reader_never_sees_half_a_file() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().to_owned();
        let texts = ["a".repeat(100_000), "b".repeat(50_000)];
        write(&directory, texts[0].as_bytes()).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for round in 0..200 {
                    write(&directory, texts[round % 2].as_bytes()).unwrap();
                }
            });
            while !writer.is_finished() {
                let read = file(&directory).unwrap();
                assert!(texts.contains(&read), "{} bytes", read.len());
            }
        });
    }

    #[test]
    fn only_containers_that_run_are_ready() {
        let view = |number: u32, status| {
            let mut task = Task::new(desired(&number.to_string(), 1));
            let name = task.desired.definition.containers[0].name.clone();
            let known = KnownContainer {
                status,
                docker_id: DockerId::parse("ab").ok(),
                ..KnownContainer::default()
            };
            task.known.containers.insert(name, known);
            let view = TaskView {
                task,
                in_flight: Vec::new(),
                planned: Vec::new(),
                timeline: Arc::default(),
            };
            (view.task.desired.arn.clone(), Arc::new(view))
        };
        let running = view(1, ContainerStatus::Running);
        let (arn, name) = (
            running.0.clone(),
            running.1.task.desired.definition.containers[0].name.clone(),
        );
        let snapshot = Snapshot {
            tasks: [
                running,
                view(2, ContainerStatus::Stopped),
                view(3, ContainerStatus::Created),
            ]
            .into(),
            ..Snapshot::default()
        };
        let wanted = wanted("/root", "c", &snapshot);
        let name: &ContainerName = &name;
        let expected = metadata_directory("/root", "c", arn.task_id(), name);
        let found: Vec<_> = wanted
            .keys()
            .map(|path| path.display().to_string())
            .collect();
        assert_eq!(found, [expected]);
        let text = String::from_utf8(wanted.into_values().next().unwrap()).unwrap();
        assert!(text.contains("READY"), "{text}");
    }

    #[test]
    fn directories_of_tasks_that_are_gone_are_taken_away() {
        let place = tempfile::tempdir().unwrap();
        for task in ["kept", "gone"] {
            readable_directory(&place.path().join(task).join("app")).unwrap();
            write(&place.path().join(task).join("app"), b"x").unwrap();
        }
        remove_others(place.path(), &BTreeSet::from(["kept".to_owned()]));
        let left: Vec<_> = fs::read_dir(place.path()).unwrap().flatten().collect();
        assert_eq!(left.len(), 1);
        assert!(file(&place.path().join("kept/app")).is_some());
        // A place that is not there has nothing to take away.
        remove_others(&place.path().join("none"), &BTreeSet::new());
    }
}
