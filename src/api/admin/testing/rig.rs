//! A rig for tests of the admin API and of its clients: the router over an engine that is a map.
//!
//! The engine here keeps what the handle promises (idempotent puts, generations) and nothing else: no container runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::fakes::{Beside, FakeEvents, FakeOutput, FakePlanner, NoFigures, NoImages};
use crate::api::admin::{AdminState, admin_router};
use crate::api::listeners::admin_layers;
use crate::api::observe::ObserveState;
use crate::api::observe::probes::Check;
use crate::boundary::store::StoredEvent;
use crate::boundary::{Clock, Ids};
use crate::domain::definition::{ContainerDefinition, TaskDefinition};
use crate::domain::draining::Draining;
use crate::domain::ids::{
    ClusterName, ContainerName, Family, Generation, TaskArn, TaskId, UnixMillis,
};
use crate::domain::image::ImageRef;
use crate::domain::status::{ContainerStatus, DesiredStatus, TaskStatus};
use crate::domain::task::{
    Cause, DesiredTask, EcsFacts, KnownContainer, Origin, Task, TaskCondition, TaskEvent,
    TaskOptions,
};
use crate::domain::task_ids::TaskIds;
use crate::reconcile::detached::{Asked, DetachedEngine, Publisher, detached};
use crate::reconcile::handle::{HandleError, PutOutcome, PutTask};
use crate::reconcile::snapshot::{EngineView, Snapshot, TaskView};
use crate::stats::StatsHandle;

/// The rig's now: 2026-01-02T03:04:05Z.
pub(crate) const NOW: UnixMillis = UnixMillis(1_767_323_045_000);

/// A clock that stands at [`NOW`].
pub(crate) struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> UnixMillis {
        NOW
    }
}

/// Ids that count up.
#[derive(Default)]
pub(crate) struct CountingIds(AtomicU64);

impl Ids for CountingIds {
    fn task_id(&self) -> TaskId {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        TaskId::parse(&format!("{number:032x}")).expect("an id")
    }

    fn bits(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn jitter(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}

/// Everything behind the router.
pub(crate) struct Rig {
    pub(crate) state: AdminState,
    pub(crate) router: Router,
    pub(crate) engine: DetachedEngine,
    pub(crate) events: Arc<FakeEvents>,
    pub(crate) output: Arc<FakeOutput>,
}

impl Rig {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self::beside(snapshot, Vec::new())
    }

    /// The same with these checks beside the engine's.
    pub(crate) fn beside(snapshot: Snapshot, beside: Vec<Check>) -> Self {
        let (handle, engine) = detached(snapshot);
        let events = Arc::new(FakeEvents::default());
        let output = Arc::new(FakeOutput::default());
        let state = AdminState {
            observe: ObserveState {
                engine: handle,
                store: events.clone(),
                images: Arc::new(NoImages),
                figures: Arc::new(NoFigures),
                usage: StatsHandle::default(),
                surroundings: Arc::new(Beside(beside)),
                settings: Arc::default(),
                clock: Arc::new(StoppedClock),
                cluster: ClusterName::parse("default").expect("a name"),
            },
            runtime: output.clone(),
            planner: Arc::new(FakePlanner),
            ids: Arc::new(CountingIds::default()),
        };
        Self {
            router: admin_router(state.clone()),
            state,
            engine,
            events,
            output,
        }
    }

    /// The same with other routes behind the layers of the listener.
    pub(crate) fn with_routes(mut self, routes: Router) -> Self {
        self.router = admin_layers(routes, Arc::clone(&self.state.ids));
        self
    }

    /// Sends a request while the map-engine answers commands.
    pub(crate) async fn send(&mut self, request: Request<Body>) -> Answer {
        let router = self.router.clone();
        let asking = async {
            let response = router.oneshot(request).await.expect("infallible");
            Answer::of(response).await
        };
        tokio::select! {
            answer = asking => answer,
            () = run_map(&mut self.engine) => panic!("the engine ended"),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(request("GET", path, "")).await
    }
}

/// A request with a body.
pub(crate) fn request(method: &str, path: &str, body: &str) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path);
    builder
        .body(Body::from(body.to_owned()))
        .expect("a request")
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl Answer {
    async fn of(response: axum::response::Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
            let value = value.to_str().expect("text").to_owned();
            (name.to_string(), value)
        };
        Self {
            status: parts.status,
            headers: parts.headers.iter().map(header).collect(),
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// Status and indented JSON, for snapshots.
    pub(crate) fn shown(&self) -> String {
        let value: serde_json::Value = serde_json::from_str(&self.text).expect("JSON");
        let pretty = serde_json::to_string_pretty(&value).expect("JSON");
        format!("{}\n{pretty}", self.status.as_u16())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).expect("JSON")
    }
}

/// Answers commands as the engine would, out of a map: never returns while a handle is left.
pub(crate) async fn run_map(engine: &mut DetachedEngine) {
    while let Some(asked) = engine.next().await {
        let publisher = engine.publisher();
        match asked {
            Asked::Put(put, reply) | Asked::PutGiven(put, _, reply) => {
                reply.send(put_into(publisher, put));
            }
            Asked::Reported(arn, reported, reply) => {
                let changed = change(publisher, &arn, |task| task.known.reported = reported);
                reply.send(changed.map(|_| ()));
            }
            Asked::Stop(arn, reason, reply) => reply.send(change(publisher, &arn, |task| {
                task.desired.status = DesiredStatus::Stopped;
                task.desired.stop_reason = Some(reason);
                task.known.status = TaskStatus::Stopped;
                task.known.stopped_at = Some(NOW);
            })),
            Asked::Drain(reason, reply) => {
                let mut snapshot = Snapshot::clone(&publisher.shown());
                let engine = Arc::make_mut(&mut snapshot.engine);
                engine.draining = reason.map(|reason| {
                    let present = engine.draining.take();
                    present.unwrap_or(Draining { since: NOW, reason })
                });
                publisher.publish(snapshot);
                reply.send(Ok(()));
            }
            Asked::Remove(arn, _, reply) => {
                let changed = change(publisher, &arn, |_| ());
                let mut snapshot = Snapshot::clone(&publisher.shown());
                snapshot.tasks.remove(&arn);
                publisher.publish(snapshot);
                reply.send(changed);
            }
        }
    }
}

fn put_into(publisher: &Publisher, put: PutTask) -> Result<PutOutcome, HandleError> {
    let mut snapshot = Snapshot::clone(&publisher.shown());
    let present = snapshot.tasks.get(&put.arn).map(|view| &view.task.desired);
    if let Some(expected) = put.expected_generation {
        let present = present
            .ok_or_else(|| HandleError::NotFound(put.arn.clone()))?
            .generation;
        if present != expected {
            let arn = put.arn.clone();
            return Err(HandleError::Generation {
                arn,
                present,
                expected,
            });
        }
    }
    if let Some(desired) = present {
        return if desired.definition == put.definition && desired.options == put.options {
            Ok(PutOutcome::Unchanged(desired.generation))
        } else {
            Err(HandleError::Conflict(put.arn))
        };
    }
    let task = Task::new(DesiredTask {
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
        arrived_at: NOW,
    });
    snapshot.tasks.insert(put.arn, Arc::new(view(task)));
    publisher.publish(snapshot);
    Ok(PutOutcome::Created(Generation(1)))
}

fn change(
    publisher: &Publisher,
    arn: &TaskArn,
    how: impl FnOnce(&mut Task),
) -> Result<Generation, HandleError> {
    let mut snapshot = Snapshot::clone(&publisher.shown());
    let view = snapshot.tasks.get_mut(arn);
    let view = Arc::make_mut(view.ok_or_else(|| HandleError::NotFound(arn.clone()))?);
    view.task.desired.generation = view.task.desired.generation.next();
    how(&mut view.task);
    let generation = view.task.desired.generation;
    publisher.publish(snapshot);
    Ok(generation)
}

/// The ARN of that id in the rig's cluster.
pub(crate) fn arn(id: &str) -> TaskArn {
    let cluster = ClusterName::parse("default").expect("a name");
    TaskArn::standalone(&cluster, &TaskId::parse(id).expect("an id"))
}

pub(crate) fn container_name(name: &str) -> ContainerName {
    ContainerName::parse(name).expect("a name")
}

/// A pending task of family `web` revision 3 with one container `app`, two minutes old.
pub(crate) fn task(id: &str) -> TaskView {
    let image = ImageRef::parse("registry.test/web:1").expect("an image");
    let containers = vec![ContainerDefinition::new(container_name("app"), image)];
    let family = Family::parse("web").expect("a family");
    let mut definition = TaskDefinition::new(family, containers);
    definition.revision = 3;
    view(Task::new(DesiredTask {
        arn: arn(id),
        generation: Generation(1),
        definition: Arc::new(definition),
        options: TaskOptions::default(),
        ids: TaskIds::default(),
        origin: Origin::Api,
        ecs: EcsFacts::default(),
        status: DesiredStatus::Running,
        stop_reason: None,
        remove: false,
        arrived_at: ago(120),
    }))
}

/// The same, running for a minute.
pub(crate) fn running(id: &str) -> TaskView {
    let mut view = task(id);
    view.task.known.status = TaskStatus::Running;
    view.task.known.observed_generation = Generation(1);
    view.task.known.started_at = Some(ago(60));
    let container = KnownContainer {
        status: ContainerStatus::Running,
        docker_id: crate::domain::ids::DockerId::parse(&"d".repeat(64)).ok(),
        running_since: Some(ago(60)),
        ..KnownContainer::default()
    };
    view.task
        .known
        .containers
        .insert(container_name("app"), container);
    view
}

fn view(task: Task) -> TaskView {
    TaskView {
        task,
        in_flight: Vec::new(),
        planned: Vec::new(),
        timeline: Arc::default(),
    }
}

/// That many seconds before [`NOW`].
pub(crate) fn ago(seconds: i64) -> UnixMillis {
    UnixMillis(NOW.0 - seconds * 1_000)
}

/// A condition of container `app`, ten seconds old.
pub(crate) fn condition(cause: Cause, message: &str) -> TaskCondition {
    TaskCondition {
        container: Some(container_name("app")),
        cause,
        message: message.to_owned(),
        since: ago(10),
        deadline: None,
        next_action: "look again".to_owned(),
        next_at: None,
    }
}

/// A snapshot of these tasks in sound surroundings.
pub(crate) fn snapshot_of(views: impl IntoIterator<Item = TaskView>) -> Snapshot {
    let engine = EngineView {
        host: Some(Arc::new(crate::domain::sample::host())),
        runtime_answered_at: Some(NOW),
        committed_at: Some(NOW),
        ..EngineView::default()
    };
    let views = views.into_iter();
    Snapshot {
        tasks: views
            .map(|view| (view.task.arn().clone(), Arc::new(view)))
            .collect(),
        engine: Arc::new(engine),
    }
}

/// An event of that task.
pub(crate) fn event(sequence: i64, id: &str) -> StoredEvent {
    StoredEvent {
        sequence,
        event: TaskEvent {
            arn: arn(id),
            at: ago(100 - sequence),
            container: Some(container_name("app")),
            kind: "Started".to_owned(),
            message: format!("started, number {sequence}"),
        },
    }
}
