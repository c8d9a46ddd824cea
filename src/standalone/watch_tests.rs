//! The watch against a model of the engine and real files in a temporary directory.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;

use super::super::status::FileState;
use super::*;
use crate::domain::definition::{ContainerDefinition, TaskDefinition};
use crate::domain::host::{CgroupSupport, OsType};
use crate::domain::ids::{ContainerName, Family, Generation, UnixMillis};
use crate::domain::image::ImageRef;
use crate::domain::status::{DesiredStatus, TaskStatus};
use crate::domain::task::{DesiredTask, EcsFacts, Task};
use crate::domain::task_ids::TaskIds;
use crate::reconcile::handle::PutOutcome;
use crate::reconcile::snapshot::{EngineView, TaskView};
use crate::testing::memory_store::MemoryStore;
use crate::testing::sim::{SERVE, Simulation, shell};

/// Takes every task as running and every stop as done at once.
#[derive(Default)]
struct FakeEngine {
    tasks: Mutex<BTreeMap<TaskArn, Task>>,
    refuse: Mutex<bool>,
    silent: Mutex<bool>,
}

impl FakeEngine {
    fn live(&self) -> Vec<String> {
        let tasks = self.tasks.lock().expect("unpoisoned");
        let live = tasks
            .values()
            .filter(|task| task.known.status != TaskStatus::Stopped);
        live.map(|task| task.desired.definition.family.to_string())
            .collect()
    }

    fn end(&self, arn: &TaskArn, reason: Reason, remove: bool) -> Result<Generation, HandleError> {
        let mut tasks = self.tasks.lock().expect("unpoisoned");
        let task = tasks
            .get_mut(arn)
            .ok_or_else(|| HandleError::NotFound(arn.clone()))?;
        task.desired.status = DesiredStatus::Stopped;
        task.desired.stop_reason = Some(reason);
        task.known.status = TaskStatus::Stopped;
        if remove {
            tasks.remove(arn);
        }
        Ok(Generation(2))
    }
}

#[async_trait]
impl Engine for FakeEngine {
    fn snapshot(&self) -> Arc<Snapshot> {
        let silent = *self.silent.lock().expect("unpoisoned");
        let tasks = self.tasks.lock().expect("unpoisoned");
        let view = |task: &Task| {
            Arc::new(TaskView {
                task: task.clone(),
                in_flight: Vec::new(),
                planned: Vec::new(),
                timeline: Arc::default(),
            })
        };
        Arc::new(Snapshot {
            tasks: tasks
                .iter()
                .map(|(arn, task)| (arn.clone(), view(task)))
                .collect(),
            engine: Arc::new(EngineView {
                host: (!silent).then(|| Arc::new(host())),
                relisted_at: (!silent).then_some(UnixMillis(1)),
                ..EngineView::default()
            }),
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    async fn put(&self, put: PutTask) -> Result<PutOutcome, HandleError> {
        if *self.refuse.lock().expect("unpoisoned") {
            return Err(HandleError::Busy);
        }
        let mut tasks = self.tasks.lock().expect("unpoisoned");
        let mut task = Task::new(DesiredTask {
            arn: put.arn.clone(),
            generation: Generation(1),
            definition: put.definition,
            options: put.options,
            ids: TaskIds::default(),
            origin: put.origin,
            ecs: EcsFacts::default(),
            status: DesiredStatus::Running,
            stop_reason: None,
            remove: false,
            arrived_at: UnixMillis(i64::try_from(tasks.len()).expect("few")),
        });
        task.known.status = TaskStatus::Running;
        tasks.insert(put.arn, task);
        Ok(PutOutcome::Created(Generation(1)))
    }

    async fn stop(&self, arn: &TaskArn, reason: Reason) -> Result<Generation, HandleError> {
        self.end(arn, reason, false)
    }

    async fn remove(&self, arn: &TaskArn, reason: Reason) -> Result<Generation, HandleError> {
        self.end(arn, reason, true)
    }
}

fn host() -> HostFacts {
    HostFacts {
        os_type: OsType::Linux,
        cpu_architecture: "X86_64".to_owned(),
        cpu_units: 1024,
        memory_mib: 1024,
        reserved_ports: BTreeSet::new(),
        front_port: None,
        dynamic_ports: (49153, 65535),
        cgroups: CgroupSupport::None,
        log_drivers: BTreeSet::new(),
        volume_drivers: BTreeSet::new(),
        swap_limit: false,
        selinux: false,
        apparmor: false,
        runtime_version: String::new(),
        gpus: None,
        attributes: BTreeMap::new(),
    }
}

/// The text of a file is its family; `bad …` cannot be read, `big…` does not fit.
struct FakeJudge;

impl Judge for FakeJudge {
    fn read(&self, _: &str, bytes: &[u8]) -> Result<Draft, Verdict> {
        let text = String::from_utf8_lossy(bytes);
        let family =
            Family::parse(&text).map_err(|error| Verdict::refused(format!("family {error}")))?;
        let container = ContainerDefinition::new(
            ContainerName::parse("app").expect("a name"),
            ImageRef::parse("busybox").expect("an image"),
        );
        Ok(Draft {
            definition: Arc::new(TaskDefinition::new(family, vec![container])),
            warnings: Vec::new(),
        })
    }

    fn fit(&self, definition: &TaskDefinition, _: &TaskOptions, _: &HostFacts) -> Verdict {
        let big = definition.family.as_str().starts_with("big");
        Verdict {
            refused: big.then(|| "too big".to_owned()).into_iter().collect(),
            warnings: vec!["logs go elsewhere".to_owned()],
        }
    }
}

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_000_000)
    }
}

struct Rig {
    dir: tempfile::TempDir,
    engine: Arc<FakeEngine>,
    watch: Watch,
    shown: watch::Receiver<Arc<DirectoryStatus>>,
}

fn config(dir: &Path) -> WatchConfig {
    WatchConfig {
        dir: dir.join("tasks"),
        records: dir.join("records.json"),
        fresh: false,
        policy: Policy::OnFailure,
        cluster: ClusterName::parse("default").expect("a name"),
        options: TaskOptions::default(),
    }
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("tasks")).expect("a directory");
        let engine = Arc::new(FakeEngine::default());
        let deps = WatchDeps {
            engine: Arc::<FakeEngine>::clone(&engine),
            judge: Arc::new(FakeJudge),
            clock: Arc::new(FixedClock),
            store: Arc::new(MemoryStore::default()),
        };
        let (watch, shown) = Watch::new(config(dir.path()), deps);
        Self {
            dir,
            engine,
            watch,
            shown,
        }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join("tasks").join(format!("{name}.json"));
        fs::write(path, text).expect("written");
    }

    fn delete(&self, name: &str) {
        let path = self.dir.path().join("tasks").join(format!("{name}.json"));
        fs::remove_file(path).expect("deleted");
    }

    /// Looks often enough for everything to settle.
    async fn settle(&mut self) -> Arc<DirectoryStatus> {
        for _ in 0..4 {
            self.watch.look().await;
        }
        self.shown.borrow().clone()
    }
}

#[tokio::test]
async fn files_come_change_and_go_and_their_tasks_with_them() {
    let mut rig = Rig::new();
    rig.write("a", "one");
    rig.write("b", "two");
    rig.settle().await;
    assert_eq!(sorted(rig.engine.live()), ["one", "two"]);
    rig.write("a", "three");
    rig.settle().await;
    assert_eq!(sorted(rig.engine.live()), ["three", "two"]);
    rig.delete("b");
    let status = rig.settle().await;
    assert_eq!(rig.engine.live(), ["three"]);
    assert_eq!(status.files.len(), 1);
    assert_eq!(status.files["a"].state, FileState::Live);
    assert_eq!(status.files["a"].warnings, ["logs go elsewhere"]);
}

#[tokio::test]
async fn a_file_gone_bad_keeps_its_task_and_says_why() {
    let mut rig = Rig::new();
    rig.write("a", "one");
    rig.settle().await;
    for (text, why) in [("bad!", "family has the character"), ("big-one", "too big")] {
        rig.write("a", text);
        let status = rig.settle().await;
        assert_eq!(rig.engine.live(), ["one"]);
        assert!(status.files["a"].problems[0].starts_with(why), "{status:?}");
        assert_eq!(status.files["a"].problems.len(), 1);
    }
    assert_eq!(
        rig.shown.borrow().files["a"].warnings,
        ["logs go elsewhere"],
        "what is no reason is no problem"
    );
}

#[tokio::test]
async fn a_directory_that_cannot_be_listed_stops_nothing() {
    let mut rig = Rig::new();
    rig.write("a", "one");
    rig.settle().await;
    fs::rename(rig.dir.path().join("tasks"), rig.dir.path().join("away")).expect("renamed");
    let status = rig.settle().await;
    assert_eq!(rig.engine.live(), ["one"]);
    assert!(
        status
            .problem
            .as_ref()
            .is_some_and(|why| why.starts_with("list ")),
        "{status:?}"
    );
    assert_eq!(status.files["a"].state, FileState::Live);
}

#[tokio::test]
async fn nothing_is_planned_before_the_engine_has_seen_every_container() {
    let mut rig = Rig::new();
    *rig.engine.silent.lock().expect("unpoisoned") = true;
    rig.write("a", "one");
    let status = rig.settle().await;
    assert_eq!(rig.engine.live(), [""; 0]);
    assert_eq!(
        status.problem.as_deref(),
        Some("Docker has not answered yet")
    );
}

#[tokio::test]
async fn a_refused_put_is_shown_and_tried_again() {
    let mut rig = Rig::new();
    *rig.engine.refuse.lock().expect("unpoisoned") = true;
    rig.write("a", "one");
    let status = rig.settle().await;
    assert_eq!(
        status.files["a"].problems,
        ["the engine has too many calls waiting"]
    );
    *rig.engine.refuse.lock().expect("unpoisoned") = false;
    let status = rig.settle().await;
    assert_eq!(rig.engine.live(), ["one"]);
    assert_eq!(status.files["a"].problems, [""; 0]);
}

#[tokio::test]
async fn nothing_is_put_while_records_cannot_be_written() {
    let mut rig = Rig::new();
    fs::create_dir(rig.dir.path().join("records.json")).expect("a directory in the way");
    rig.write("a", "one");
    let status = rig.settle().await;
    assert_eq!(rig.engine.live(), [""; 0]);
    assert_eq!(status.files["a"].problems.len(), 1);
}

/// What its containers do, in the words of the shell.
struct ShellJudge(&'static str);

impl Judge for ShellJudge {
    fn read(&self, name: &str, bytes: &[u8]) -> Result<Draft, Verdict> {
        let mut draft = FakeJudge.read(name, bytes)?;
        let definition = Arc::make_mut(&mut draft.definition);
        definition.containers = vec![shell("app", "image", self.0)];
        Ok(draft)
    }

    fn fit(&self, _: &TaskDefinition, _: &TaskOptions, _: &HostFacts) -> Verdict {
        Verdict::default()
    }
}

const LIMIT: Duration = Duration::from_mins(1);

/// How long the engine keeps ended tasks: longer than any of these tests but the one that waits for it.
const KEPT: Duration = Duration::from_mins(10);

/// The real engine, which can stop and forget a task between two looks.
struct RealRig {
    dir: tempfile::TempDir,
    sim: Simulation,
    watch: Watch,
    shown: watch::Receiver<Arc<DirectoryStatus>>,
    command: &'static str,
}

impl RealRig {
    /// One file, `a`, whose task has come to `status`; nobody has looked since it was put.
    async fn with_task(command: &'static str, status: TaskStatus) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("tasks")).expect("a directory");
        fs::write(dir.path().join("tasks").join("a.json"), "one").expect("written");
        let mut sim = Simulation::new();
        sim.keep_ended_for(KEPT);
        sim.start();
        let (watch, shown) = Self::watch(dir.path(), &sim, command);
        let mut rig = Self {
            dir,
            sim,
            watch,
            shown,
            command,
        };
        rig.settle().await;
        assert!(rig.sim.until(LIMIT, all_are(status)).await);
        rig
    }

    fn watch(
        dir: &Path,
        sim: &Simulation,
        command: &'static str,
    ) -> (Watch, watch::Receiver<Arc<DirectoryStatus>>) {
        let deps = WatchDeps {
            engine: Arc::new(sim.handle()),
            judge: Arc::new(ShellJudge(command)),
            clock: sim.clock.clone(),
            store: Arc::new(sim.store.clone()),
        };
        let (mut watch, shown) = Watch::new(config(dir), deps);
        watch.records = records::load(&watch.config.records).records;
        (watch, shown)
    }

    async fn settle(&mut self) -> FileState {
        let known = |snapshot: &Snapshot| snapshot.engine.relisted_at.is_some();
        assert!(self.sim.until(LIMIT, known).await);
        for _ in 0..3 {
            self.watch.look().await;
        }
        self.shown.borrow().files["a"].state.clone()
    }

    /// By hand, until nothing of it is known.
    async fn remove(&mut self) {
        let snapshot = self.sim.snapshot();
        let arn = snapshot.tasks.keys().next().cloned().expect("a task");
        let by_hand = Reason::new(ReasonName::UserInitiated, "by hand");
        let removed = self.sim.handle().remove(&arn, by_hand).await;
        removed.expect("durable");
        let gone = |snapshot: &Snapshot| snapshot.tasks.is_empty();
        assert!(self.sim.until(LIMIT, gone).await);
    }

    /// Only what is durable says anything afterwards.
    async fn restart(&mut self) {
        self.sim.crash().await;
        self.sim.start();
        (self.watch, self.shown) = Self::watch(self.dir.path(), &self.sim, self.command);
    }
}

fn all_are(status: TaskStatus) -> impl Fn(&Snapshot) -> bool {
    move |snapshot| {
        let mut tasks = snapshot.tasks.values();
        !snapshot.tasks.is_empty() && tasks.all(|view| view.task.known.status == status)
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_somebody_removed_between_two_looks_stays_away() {
    let mut rig = RealRig::with_task(SERVE, TaskStatus::Running).await;
    rig.remove().await;
    rig.restart().await;
    assert_eq!(rig.settle().await, FileState::StoppedByUser);
    assert!(rig.sim.snapshot().tasks.is_empty());
    fs::write(rig.dir.path().join("tasks").join("a.json"), "another").expect("written");
    rig.settle().await;
    let run = rig.sim.until(LIMIT, all_are(TaskStatus::Running)).await;
    assert!(run, "a newer file counts");
    rig.sim.stop_agent().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_done_and_removed_between_two_looks_is_not_done_again() {
    let mut rig = RealRig::with_task("exit 0", TaskStatus::Stopped).await;
    rig.remove().await;
    assert_eq!(rig.settle().await, FileState::Completed);
    rig.restart().await;
    assert_eq!(rig.settle().await, FileState::Completed);
    assert!(rig.sim.snapshot().tasks.is_empty());
    rig.sim.stop_agent().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_failed_and_was_removed_between_two_looks_waits_as_if_it_had_been_seen() {
    let mut rig = RealRig::with_task("exit 3", TaskStatus::Stopped).await;
    rig.remove().await;
    let waits = rig.settle().await;
    assert!(
        matches!(waits, FileState::Waiting { ends: 1, .. }),
        "{waits:?}"
    );
    assert!(rig.sim.snapshot().tasks.is_empty());
    rig.sim.stop_agent().await;
}

/// Nobody removed it: ended tasks are kept for a while only.
#[tokio::test(start_paused = true)]
async fn a_job_that_was_done_while_the_directory_was_away_is_not_done_again() {
    let mut rig = RealRig::with_task("exit 0", TaskStatus::Stopped).await;
    let (tasks, away) = (rig.dir.path().join("tasks"), rig.dir.path().join("away"));
    fs::rename(&tasks, &away).expect("renamed");
    rig.settle().await;
    let forgotten = |snapshot: &Snapshot| snapshot.tasks.is_empty();
    assert!(rig.sim.until(4 * KEPT, forgotten).await);
    fs::rename(&away, &tasks).expect("renamed");
    assert_eq!(rig.settle().await, FileState::Completed);
    assert!(rig.sim.snapshot().tasks.is_empty());
    rig.sim.stop_agent().await;
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}
