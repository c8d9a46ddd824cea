//! The foreground session against a scripted engine and runtime.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use super::super::prefix::Prefixes;
use super::super::sample::{ended, name, task};
use super::super::screen::Style;
use super::super::sink::Sink;
use super::*;
use crate::boundary::{BoundaryError, ContainerRuntime, ErrorKind, EventStream};
use crate::domain::ids::{DockerId, Generation, UnixMillis};
use crate::domain::runtime::{
    ListedContainer, ObservedContainer, OutputChunk, OutputRange, OutputStream, RuntimeInfo,
};
use crate::domain::spec::ContainerSpec;
use crate::domain::task::KnownContainer;
use crate::reconcile::handle::{PutOutcome, PutTask};
use crate::reconcile::snapshot::{Snapshot, TaskView};

/// An engine whose task ends when it is asked to stop and goes when it is asked to be removed.
struct FakeEngine {
    task: Mutex<Option<Task>>,
    changed: watch::Sender<u64>,
    calls: Mutex<Vec<&'static str>>,
    deaf: bool,
}

impl FakeEngine {
    fn new(task: Task, deaf: bool) -> Self {
        Self {
            task: Mutex::new(Some(task)),
            changed: watch::Sender::new(0),
            calls: Mutex::default(),
            deaf,
        }
    }

    fn show(&self, task: Option<Task>) {
        *self.task.lock().expect("unpoisoned") = task;
        self.changed.send_modify(|count| *count += 1);
    }
}

#[async_trait]
impl Engine for FakeEngine {
    fn snapshot(&self) -> Arc<Snapshot> {
        let task = self.task.lock().expect("unpoisoned").clone();
        let tasks = task.map(|task| {
            let view = TaskView {
                task: task.clone(),
                in_flight: Vec::new(),
                planned: Vec::new(),
                timeline: Arc::default(),
            };
            (task.arn().clone(), Arc::new(view))
        });
        Arc::new(Snapshot {
            tasks: tasks.into_iter().collect(),
            ..Snapshot::default()
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    async fn put(&self, _: PutTask) -> Result<PutOutcome, HandleError> {
        Err(HandleError::Closed)
    }

    async fn stop(&self, _: &TaskArn, _: Reason) -> Result<Generation, HandleError> {
        self.calls.lock().expect("unpoisoned").push("stop");
        if !self.deaf {
            self.show(Some(ended(&[Some((143, 5)), Some((0, 9))])));
        }
        Ok(Generation(2))
    }

    async fn remove(&self, _: &TaskArn, _: Reason) -> Result<Generation, HandleError> {
        self.calls.lock().expect("unpoisoned").push("remove");
        self.show(None);
        Ok(Generation(3))
    }
}

/// A runtime that has output for each container id and tells the engine of kills.
struct FakeRuntime {
    output: BTreeMap<DockerId, Vec<OutputChunk>>,
    engine: Arc<FakeEngine>,
}

fn unused<T>() -> Result<T, BoundaryError> {
    Err(BoundaryError::new(
        "call",
        ErrorKind::Invalid,
        "not scripted",
    ))
}

#[async_trait]
impl ContainerRuntime for FakeRuntime {
    async fn info(&self) -> Result<RuntimeInfo, BoundaryError> {
        unused()
    }

    async fn list(&self) -> Result<Vec<ListedContainer>, BoundaryError> {
        unused()
    }

    async fn inspect(&self, _: &str) -> Result<Option<ObservedContainer>, BoundaryError> {
        unused()
    }

    async fn create(&self, _: &ContainerSpec) -> Result<DockerId, BoundaryError> {
        unused()
    }

    async fn start(&self, _: &DockerId) -> Result<(), BoundaryError> {
        unused()
    }

    async fn stop(&self, _: &DockerId, _: Duration) -> Result<(), BoundaryError> {
        unused()
    }

    async fn kill(&self, _: &DockerId) -> Result<(), BoundaryError> {
        self.engine.show(Some(ended(&[Some((137, 5)), None])));
        Ok(())
    }

    async fn remove(&self, _: &str) -> Result<(), BoundaryError> {
        unused()
    }

    async fn events(&self) -> Result<EventStream, BoundaryError> {
        unused()
    }

    async fn logs(
        &self,
        id: &DockerId,
        _: OutputRange,
    ) -> Result<BoxStream<'static, Result<OutputChunk, BoundaryError>>, BoundaryError> {
        match self.output.get(id) {
            Some(chunks) => Ok(stream::iter(chunks.clone()).map(Ok).boxed()),
            None => unused(),
        }
    }
}

fn id() -> DockerId {
    DockerId::parse(&"a".repeat(64)).expect("an id")
}

/// `app` runs.
fn running() -> Task {
    let mut task = task();
    task.known.status = TaskStatus::Running;
    let known = KnownContainer {
        status: ContainerStatus::Running,
        docker_id: Some(id()),
        started_at: Some(UnixMillis(1)),
        ..KnownContainer::default()
    };
    task.known.containers.insert(name("app"), known);
    task
}

struct Rig {
    engine: Arc<FakeEngine>,
    interrupt: mpsc::Sender<()>,
    session: Session,
    out: Sink,
    err: Sink,
}

fn rig(task: Task, deaf: bool, afterwards: Afterwards, output: &[&str]) -> Rig {
    let arn = task.arn().clone();
    let engine = Arc::new(FakeEngine::new(task, deaf));
    let chunks = output.iter().map(|text| OutputChunk {
        stream: OutputStream::Stdout,
        bytes: text.as_bytes().to_vec(),
        at: None,
    });
    let runtime = FakeRuntime {
        output: [(id(), chunks.collect())].into_iter().collect(),
        engine: Arc::clone(&engine),
    };
    let (interrupt, interrupts) = mpsc::channel(4);
    let deps = SessionDeps {
        engine: Arc::<FakeEngine>::clone(&engine),
        containers: Containers::new(Arc::new(runtime)),
        interrupts,
    };
    let (out, err) = (Sink::default(), Sink::default());
    let screen = Screen::new(
        Box::new(out.clone()),
        Box::new(err.clone()),
        Prefixes::new(["app".to_owned()], false),
        Style::Plain,
    );
    Rig {
        session: Session::new(deps, arn, afterwards, screen),
        engine,
        interrupt,
        out,
        err,
    }
}

fn calls(engine: &FakeEngine) -> Vec<&'static str> {
    engine.calls.lock().expect("unpoisoned").clone()
}

#[tokio::test(start_paused = true)]
async fn output_is_printed_to_its_end_and_the_task_is_removed() {
    let mut stopped = ended(&[Some((3, 5)), None]);
    let app = stopped.known.containers.get_mut(&name("app")).expect("app");
    app.docker_id = Some(id());
    let rig = rig(stopped, false, Afterwards::Remove, &["one\ntw", "o\nthree"]);
    assert_eq!(rig.session.run().await.expect("ended"), 3);
    assert_eq!(rig.out.text(), "app | one\napp | two\napp | three\n");
    assert_eq!(
        rig.err.text(),
        "berth: app started\nberth: app exited with code 3\nberth: web not started\n"
    );
    assert_eq!(calls(&rig.engine), ["remove"]);
}

#[tokio::test(start_paused = true)]
async fn keeping_the_task_removes_nothing() {
    let rig = rig(ended(&[None, None]), false, Afterwards::Keep, &[]);
    let began = Instant::now();
    assert_eq!(rig.session.run().await.expect("ended"), NEVER_STARTED);
    assert!(began.elapsed() < DRAIN, "nothing is waited for");
    assert_eq!(calls(&rig.engine), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_stops_and_the_exit_code_is_that_of_the_container() {
    let rig = rig(running(), false, Afterwards::Remove, &[]);
    rig.interrupt.send(()).await.expect("sent");
    assert_eq!(rig.session.run().await.expect("ended"), 143);
    assert_eq!(calls(&rig.engine), ["stop", "remove"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_interrupt_kills() {
    let rig = rig(running(), true, Afterwards::Remove, &[]);
    for _ in 0..2 {
        rig.interrupt.send(()).await.expect("sent");
    }
    let session = tokio::time::timeout(Duration::from_mins(1), rig.session.run()).await;
    let code = session.expect("in time").expect("ended");
    assert_eq!(code, 137);
}

#[tokio::test(start_paused = true)]
async fn a_third_interrupt_leaves_at_once() {
    let rig = rig(task(), true, Afterwards::Remove, &[]);
    for _ in 0..3 {
        rig.interrupt.send(()).await.expect("sent");
    }
    let error = rig.session.run().await.expect_err("left");
    assert!(matches!(error, SessionError::Abandoned));
}

#[tokio::test(start_paused = true)]
async fn output_that_cannot_be_read_is_said_and_ends_nothing() {
    let mut stopped = ended(&[Some((0, 5)), None]);
    let app = stopped.known.containers.get_mut(&name("app")).expect("app");
    app.docker_id = DockerId::parse(&"b".repeat(64)).ok();
    let rig = rig(stopped, false, Afterwards::Remove, &[]);
    assert_eq!(rig.session.run().await.expect("ended"), 0);
    assert!(
        rig.err
            .text()
            .contains("berth: app output cannot be read: call: not scripted\n")
    );
}
