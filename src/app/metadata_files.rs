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
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::lifecycle::Group;
use crate::api::metadata_file::{Here, initial, ready};
use crate::api::view::SeenTask;
use crate::boundary::{BoundaryError, ContainerRuntime, EcsFactsSource, EventStream};
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

/// Pause before a file is written that could not be.
const RETRY: Duration = Duration::from_secs(10);

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
    ecs: Arc<dyn EcsFactsSource>,
}

impl WithFiles {
    /// `inner`, with files for containers that are told of one.
    pub(super) fn new(inner: Arc<dyn ContainerRuntime>, ecs: Arc<dyn EcsFactsSource>) -> Self {
        Self { inner, ecs }
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
            let text = initial(spec, &Here::of(self.ecs.as_ref()));
            blocking(move || {
                let made = readable_directory(&directory);
                if let Err(error) = made.and_then(|()| write(&directory, &text)) {
                    tell(&directory, &error);
                }
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
    let mount = told.strip_suffix(METADATA_FILE)?;
    let mount = mount.strip_suffix(['/', '\\'])?;
    let bind = spec.binds.iter().find(|bind| bind.target == mount)?;
    Some(PathBuf::from(&bind.source))
}

/// Starts what keeps files below `root`, if there are to be any.
pub(super) fn start(
    root: Option<String>,
    config: &Config,
    (engine, ecs): (&ReconcilerHandle, &Arc<dyn EcsFactsSource>),
    group: &mut Group,
) {
    if let Some(root) = root {
        let keeper = Keeper {
            root,
            cluster: config.cluster.to_string(),
            engine: engine.clone(),
            ecs: Arc::clone(ecs),
            written: BTreeMap::new(),
            failing: BTreeSet::new(),
            retry_at: None,
        };
        group.start("metadata files", keeper.run(group.stop_token()));
    }
}

/// Keeps the files of containers that run as they are known, and takes away those of tasks that are gone.
struct Keeper {
    root: String,
    cluster: String,
    engine: ReconcilerHandle,
    ecs: Arc<dyn EcsFactsSource>,
    /// What the files say, by their directories.
    written: BTreeMap<PathBuf, Vec<u8>>,
    /// Directories whose files could not be written.
    failing: BTreeSet<PathBuf>,
    /// When those are tried again, and not before.
    retry_at: Option<Instant>,
}

impl Keeper {
    async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.engine.changes();
        loop {
            changes.borrow_and_update();
            self.keep().await;
            let retry_at = self.retry_at;
            let news = async {
                // Each is cancel-safe; whoever is woken looks at everything.
                tokio::select! {
                    news = changes.changed() => if news.is_err() {
                        // An engine that has ended publishes nothing more.
                        std::future::pending::<()>().await;
                    },
                    () = self.ecs.changed() => {}
                    () = tokio::time::sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => {}
                }
                tokio::time::sleep(NEWS_PAUSE).await;
            };
            if stop.run_until_cancelled(news).await.is_none() {
                return;
            }
        }
    }

    async fn keep(&mut self) {
        let snapshot = self.engine.snapshot();
        let (is_whole, tasks) = (snapshot.engine.relisted_at.is_some(), names(&snapshot));
        let here = Here::of(self.ecs.as_ref());
        self.write(wanted(&self.root, &self.cluster, &snapshot, &here))
            .await;
        // Before Docker was asked once, tasks may be missing that are to be found again.
        if is_whole {
            let place = Path::new(&self.root).join(&self.cluster);
            blocking(move || remove_others(&place, &tasks)).await;
        }
    }

    /// What cannot be written is told once, and counts as not written.
    async fn write(&mut self, mut wanted: BTreeMap<PathBuf, Vec<u8>>) {
        let now = Instant::now();
        let is_early = self.retry_at.is_some_and(|at| now < at);
        let waits = |directory: &PathBuf| is_early && self.failing.contains(directory);
        let fresh = wanted
            .iter()
            .filter(|(directory, text)| {
                self.written.get(*directory) != Some(*text) && !waits(directory)
            })
            .map(|(directory, text)| (directory.clone(), text.clone()))
            .collect();
        let failed = write_all(fresh).await;
        for (directory, error) in &failed {
            if !self.failing.contains(directory) {
                tell(directory, error);
            }
        }
        self.failing
            .retain(|directory| is_early && wanted.contains_key(directory));
        self.failing.extend(failed.into_keys());
        if !is_early {
            self.retry_at = (!self.failing.is_empty()).then(|| now + RETRY);
        }
        wanted.retain(|directory, _| !self.failing.contains(directory));
        self.written = wanted;
    }
}

/// Texts of all containers that run, by the directory on the host.
fn wanted(
    root: &str,
    cluster: &str,
    snapshot: &Snapshot,
    here: &Here,
) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut wanted = BTreeMap::new();
    for view in snapshot.tasks.values() {
        let seen = SeenTask::new(&view.task, cluster);
        let runs = seen.containers.iter().filter(|container| {
            container.known == ContainerStatus::Running && container.docker_id.is_some()
        });
        for container in runs {
            let task = view.task.desired.arn.task_id();
            let directory = metadata_directory(root, cluster, task, &container.name);
            wanted.insert(PathBuf::from(directory), ready(&seen, container, here));
        }
    }
    wanted
}

fn names(snapshot: &Snapshot) -> BTreeSet<String> {
    let tasks = snapshot.tasks.keys();
    tasks.map(|arn| arn.task_id().to_string()).collect()
}

/// Writes the files, and says which could not be; those of containers that were made without one have no directory, and
/// get none later.
async fn write_all(texts: BTreeMap<PathBuf, Vec<u8>>) -> BTreeMap<PathBuf, io::Error> {
    if texts.is_empty() {
        return BTreeMap::new();
    }
    let failed = blocking(move || {
        let failed = texts.into_iter().filter_map(|(directory, text)| {
            let error = write(&directory, &text).err()?;
            (error.kind() != io::ErrorKind::NotFound).then_some((directory, error))
        });
        failed.collect()
    });
    failed.await.unwrap_or_default()
}

fn tell(directory: &Path, error: &io::Error) {
    let directory = directory.display();
    warn!(event = "metadata-file-failing", %error, %directory, "a container's metadata file cannot be written");
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Some(done),
        Err(error) => {
            warn!(event = "metadata-file-failing", %error, "metadata files could not be looked after");
            None
        }
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
    use crate::domain::host::OsType;
    use crate::domain::ids::ContainerName;
    use crate::domain::image::ImageRef;
    use crate::domain::names::{metadata_file_in, metadata_mount};
    use crate::domain::spec::Bind;
    use crate::domain::task::{KnownContainer, Task};
    use crate::ecs::FactsApi;
    use crate::reconcile::detached::detached;
    use crate::reconcile::snapshot::TaskView;
    use crate::testing::contract;
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
    fn the_file_of_a_container_is_where_its_directory_is_mounted() {
        for (os, directory) in [
            (OsType::Linux, "/data/metadata/c/t/app"),
            (OsType::Windows, r"C:\data\metadata/c/t/app"),
        ] {
            let image = ImageRef::parse("app").unwrap();
            let mut spec = contract::container("app", &image, "");
            assert_eq!(directory_of(&spec), None, "it is told of none");
            let mount = metadata_mount(os, "id");
            let told = metadata_file_in(os, &mount);
            let variable = METADATA_FILE_VARIABLE.to_owned();
            spec.environment.insert(variable, told);
            assert_eq!(directory_of(&spec), None, "none is mounted");
            spec.binds = vec![Bind {
                source: directory.to_owned(),
                target: mount,
                read_only: true,
            }];
            assert_eq!(directory_of(&spec), Some(PathBuf::from(directory)));
        }
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
        let wanted = wanted("/root", "c", &snapshot, &Here::default());
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

    // Whoever may do anything may write everywhere: a directory stands in the way instead.
    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_tried_again() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("app");
        let in_the_way = directory.join(METADATA_FILE);
        fs::create_dir_all(in_the_way.join("x")).unwrap();
        let (handle, _engine) = detached(Snapshot::default());
        let ecs: Arc<dyn EcsFactsSource> = Arc::new(FactsApi::default());
        let mut keeper = Keeper {
            root: String::new(),
            cluster: String::new(),
            engine: handle,
            ecs,
            written: BTreeMap::new(),
            failing: BTreeSet::new(),
            retry_at: None,
        };
        let none = place.path().join("none");
        let wanted = || {
            BTreeMap::from([
                (directory.clone(), b"x".to_vec()),
                (none.clone(), Vec::new()),
            ])
        };
        keeper.write(wanted()).await;
        assert_eq!(keeper.failing, BTreeSet::from([directory.clone()]));
        assert!(!keeper.written.contains_key(&directory));
        fs::remove_dir_all(&in_the_way).unwrap();
        // News of something else do not make it come earlier.
        keeper.write(wanted()).await;
        assert_eq!(file(&directory), None);
        assert_eq!(keeper.failing.len(), 1);
        keeper.retry_at = Some(Instant::now());
        keeper.write(wanted()).await;
        assert_eq!(file(&directory).as_deref(), Some("x"));
        assert_eq!((keeper.failing.len(), keeper.written), (0, wanted()));
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
