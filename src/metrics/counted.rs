//! Families that grow as things happen.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::format::{Format, text};
use super::read_off::ReadOff;
use crate::boundary::ErrorKind;
use crate::boundary::credentials::{AGAINST, AuditEntry, AuditEvent, PATHS};
use crate::boundary::meter::{Meter, Round};
use crate::domain::credentials::RoleKind;

/// Names and values of labels.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Upper bounds of calls and rounds, in seconds: from a commit to a pull that hangs.
const CALL_BOUNDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 240.0,
];

/// Upper bounds of what takes a task from one stage to the next, in seconds.
const STAGE_BOUNDS: [f64; 12] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
];

type Histograms = Family<Labels, Histogram>;

fn call_histogram() -> Histogram {
    Histogram::new(CALL_BOUNDS)
}

fn stage_histogram() -> Histogram {
    Histogram::new(STAGE_BOUNDS)
}

/// How far a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStage {
    /// It is durable.
    Received,
    /// An image is on the host.
    Pulled,
    /// A container exists.
    Created,
    /// A container was started.
    Started,
    /// Every container runs.
    Running,
    /// ECS has taken that it runs, or is past that.
    Reported,
    /// It has stopped.
    Stopped,
}

impl TaskStage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Pulled => "pulled",
            Self::Created => "created",
            Self::Started => "started",
            Self::Running => "running",
            Self::Reported => "reported",
            Self::Stopped => "stopped",
        }
    }
}

/// The families.
#[derive(Debug)]
pub struct Counted {
    registry: Registry,
    docker_calls: Histograms,
    docker_errors: Family<Labels, Counter>,
    store_writes: Histogram,
    store_errors: Family<Labels, Counter>,
    rounds: Histogram,
    lag: Histogram,
    looked_at: Counter,
    queue: Gauge,
    pulls: Histogram,
    pull_failures: Family<Labels, Counter>,
    stages: Histograms,
    events: Family<Labels, Counter>,
    exits: Family<Labels, Counter>,
    restarts: Counter,
    credentials: Credentials,
    rate_limited: Family<Labels, Counter>,
    callers_against: Family<Labels, Counter>,
}

/// Answers to requests for credentials. Those that give some out are counted without a look at labels: there are tens
/// of thousands in a second.
#[derive(Debug)]
struct Credentials {
    answers: Family<Labels, Counter>,
    task: Counter,
    execution: Counter,
}

impl Default for Credentials {
    fn default() -> Self {
        let answers = Family::<Labels, Counter>::default();
        let vended = |role: RoleKind| answers.get_or_create_owned(&answer(200, role.as_str()));
        let (task, execution) = (vended(RoleKind::Task), vended(RoleKind::Execution));
        Self {
            answers,
            task,
            execution,
        }
    }
}

fn answer(status: u16, role: &str) -> Labels {
    vec![("code", status.to_string()), ("role", role.to_owned())]
}

impl Default for Counted {
    fn default() -> Self {
        Self::new()
    }
}

impl Counted {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let mut counted = Self {
            registry: Registry::with_prefix("ecs_agent"),
            docker_calls: Family::new_with_constructor(call_histogram),
            docker_errors: Family::default(),
            store_writes: call_histogram(),
            store_errors: Family::default(),
            rounds: call_histogram(),
            lag: call_histogram(),
            looked_at: Counter::default(),
            queue: Gauge::default(),
            pulls: stage_histogram(),
            pull_failures: Family::default(),
            stages: Family::new_with_constructor(stage_histogram),
            events: Family::default(),
            exits: Family::default(),
            restarts: Counter::default(),
            credentials: Credentials::default(),
            rate_limited: Family::default(),
            callers_against: Family::default(),
        };
        counted.begin_at_zero();
        counted.register_calls();
        counted.register_requests();
        counted.register_work();
        counted
    }

    /// Shows what has not happened where its labels are known, so that the first time is seen as a change.
    fn begin_at_zero(&self) {
        let zero = |family: &Family<Labels, Counter>, label: &'static str, value: &str| {
            drop(family.get_or_create_owned(&vec![(label, value.to_owned())]));
        };
        for kind in ErrorKind::ALL {
            zero(&self.store_errors, "code", kind.as_str());
            zero(&self.pull_failures, "code", kind.as_str());
        }
        for against in AGAINST {
            zero(&self.callers_against, "against", against);
        }
        for route in PATHS {
            zero(&self.rate_limited, "route", route);
        }
        for oom in ["false", "true"] {
            zero(&self.exits, "oom", oom);
        }
    }

    fn register_calls(&mut self) {
        let registry = &mut self.registry;
        registry.register_with_unit(
            "docker_call",
            "Calls of Docker, from the question to the answer or the deadline",
            Unit::Seconds,
            self.docker_calls.clone(),
        );
        registry.register(
            "docker_call_errors",
            "Calls of Docker that failed, by what was called and the kind of failure",
            self.docker_errors.clone(),
        );
        registry.register_with_unit(
            "state_store_write",
            "Commits of the state, each one transaction",
            Unit::Seconds,
            self.store_writes.clone(),
        );
        registry.register(
            "state_store_errors",
            "Calls of the state store that failed, by kind",
            self.store_errors.clone(),
        );
    }

    fn register_requests(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "credentials_requests",
            "Answers to requests of containers for credentials, by status and the role given out",
            self.credentials.answers.clone(),
        );
        registry.register(
            "http_rate_limited",
            "Requests of containers that were refused because they came too often, by path without ids",
            self.rate_limited.clone(),
        );
        registry.register(
            "credentials_callers",
            "Requests for credentials by callers that something spoke against, by what: served or not",
            self.callers_against.clone(),
        );
    }

    fn register_work(&mut self) {
        let registry = &mut self.registry;
        registry.register_with_unit(
            "reconcile_round",
            "Rounds of the engine's loop, from the first look to the end of the commit",
            Unit::Seconds,
            self.rounds.clone(),
        );
        registry.register_with_unit(
            "reconcile_lag",
            "How long the task that was due first had been due when it was looked at",
            Unit::Seconds,
            self.lag.clone(),
        );
        registry.register("reconciles", "Tasks looked at", self.looked_at.clone());
        registry.register(
            "reconcile_queue_length",
            "Tasks that are to be looked at, now or later",
            self.queue.clone(),
        );
        registry.register_with_unit(
            "image_pull",
            "Pulls that succeeded, from their begin to the image on the disk",
            Unit::Seconds,
            self.pulls.clone(),
        );
        registry.register(
            "image_pull_failures",
            "Images that could not be made ready, by the kind of failure",
            self.pull_failures.clone(),
        );
        registry.register_with_unit(
            "task_stage",
            "From the arrival of a task to the stage",
            Unit::Seconds,
            self.stages.clone(),
        );
        registry.register(
            "task_events",
            "Entries of timelines, by their kind",
            self.events.clone(),
        );
        registry.register(
            "container_restarts",
            "Restarts of containers by restart policies",
            self.restarts.clone(),
        );
        registry.register(
            "container_exits",
            "Ends of containers, by whether the kernel killed them for their memory use",
            self.exits.clone(),
        );
    }

    /// A call of Docker took so long and ended so.
    pub fn docker_call(&self, call: &'static str, took: Duration, failure: Option<ErrorKind>) {
        let op = ("op", call.to_owned());
        let histogram = self.docker_calls.get_or_create_owned(&vec![op.clone()]);
        histogram.observe(took.as_secs_f64());
        if let Some(kind) = failure {
            let labels = vec![op, ("code", kind.as_str().to_owned())];
            self.docker_errors.get_or_create_owned(&labels).inc();
        }
    }

    /// A commit took so long and ended so.
    pub fn commit(&self, took: Duration, failure: Option<ErrorKind>) {
        self.store_writes.observe(took.as_secs_f64());
        self.store_failure(failure);
    }

    /// A call of the store ended so.
    pub fn store_failure(&self, failure: Option<ErrorKind>) {
        if let Some(kind) = failure {
            let labels = vec![("code", kind.as_str().to_owned())];
            self.store_errors.get_or_create_owned(&labels).inc();
        }
    }

    /// A pull took so long.
    pub fn pulled(&self, took: Duration) {
        self.pulls.observe(took.as_secs_f64());
    }

    /// An image could not be made ready.
    pub fn pull_failed(&self, kind: ErrorKind) {
        let labels = vec![("code", kind.as_str().to_owned())];
        self.pull_failures.get_or_create_owned(&labels).inc();
    }

    /// A task has come so far, so long after its arrival.
    pub fn stage(&self, stage: TaskStage, after: Duration) {
        let labels = vec![("stage", stage.as_str().to_owned())];
        let histogram = self.stages.get_or_create_owned(&labels);
        histogram.observe(after.as_secs_f64());
    }

    /// An entry of a timeline. Kinds are words of the engine: a small set.
    pub fn event(&self, kind: &str) {
        let labels = vec![("kind", kind.to_owned())];
        self.events.get_or_create_owned(&labels).inc();
    }

    /// A restart policy has restarted a container.
    pub fn restarted(&self) {
        self.restarts.inc();
    }

    /// A container has ended.
    pub fn exit(&self, oom_killed: bool) {
        let labels = vec![("oom", oom_killed.to_string())];
        self.exits.get_or_create_owned(&labels).inc();
    }

    /// A request for credentials was answered or refused for its rate. The path has no id.
    pub fn credentials(&self, entry: &AuditEntry) {
        if let Some(against) = entry.against {
            let labels = vec![("against", against.to_owned())];
            self.callers_against.get_or_create_owned(&labels).inc();
        }
        match entry.event {
            AuditEvent::Vended(RoleKind::Task) => self.credentials.task.inc(),
            AuditEvent::Vended(RoleKind::Execution) => self.credentials.execution.inc(),
            AuditEvent::Refused => {
                let labels = answer(entry.status, "none");
                self.credentials.answers.get_or_create_owned(&labels).inc()
            }
            AuditEvent::RateLimited => {
                let labels = vec![("route", entry.path.clone().into_owned())];
                self.rate_limited.get_or_create_owned(&labels).inc()
            }
        };
    }

    /// Everything counted, and what is read off now, as text.
    pub fn text(&self, read_off: &ReadOff, format: Format) -> String {
        text(&self.registry, &read_off.registry(), format)
    }
}

impl Meter for Counted {
    fn decided(&self, round: Round) {
        self.rounds.observe(round.took.as_secs_f64());
        self.lag.observe(round.lag.as_secs_f64());
        self.looked_at
            .inc_by(u64::try_from(round.keys).unwrap_or(u64::MAX));
        self.queue
            .set(i64::try_from(round.queued).unwrap_or(i64::MAX));
    }

    fn received(&self, after: Duration) {
        self.stage(TaskStage::Received, after);
    }

    fn reported(&self, after: Duration) {
        self.stage(TaskStage::Reported, after);
    }
}
