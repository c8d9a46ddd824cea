//! Submits what is due and writes down what was acknowledged.
//!
//! **Invariants.** What was acknowledged is not sent again by this process, also if it cannot be written down for a
//! while. One kind of answer gives a change up: that its parameters are invalid; every other failure is tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::bindings::Excluded;
use super::change::{self, TaskChange};
use super::lanes::{Lanes, Urgency};
use super::plan::{Due, due};
use crate::boundary::Ids;
use crate::domain::ids::TaskArn;
use crate::domain::status::TaskStatus;
use crate::domain::task::Reported;
use crate::ecs::api::{ApiError, ControlPlane};
use crate::ecs::link::{Backoff, BackoffSettings, Chance};
use crate::reconcile::ReconcilerHandle;
use crate::reconcile::handle::HandleError;

/// Tasks that cannot be taken in and wait for their report: a payload of them.
const REJECTIONS: usize = 1024;

/// Reports of such tasks that are under way at once: beside them those of the engine's tasks have their own places.
const REJECTED_AT_ONCE: usize = 4;

/// The one code that gives a change up (reference agent).
const INVALID: &str = "InvalidParameterException";

/// Waits between tries to write down what was acknowledged, and to report what cannot be taken in.
const RETRY: BackoffSettings = BackoffSettings {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(30),
    jitter_percent: 20,
    growth_percent: 130,
};

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportConfig {
    /// Cluster that calls name.
    pub cluster: String,
    /// IPv6 addresses of published ports are not reported.
    pub exclude_ipv6_bindings: bool,
    /// Nor are those of IPv4.
    pub exclude_ipv4_bindings: bool,
}

struct Rejection {
    change: TaskChange,
    done: oneshot::Sender<()>,
}

/// The way to report tasks that the engine never had.
#[derive(Clone)]
pub struct Rejections(mpsc::Sender<Rejection>);

impl Rejections {
    /// Reports the task as stopped. True when that is acknowledged or given up; false = it is not, and will not be.
    pub async fn stopped(&self, task: TaskArn, reason: &str) -> bool {
        let (done, answer) = oneshot::channel();
        let change = TaskChange {
            task,
            status: "STOPPED",
            reason: change::reason(reason),
            containers: Vec::new(),
            pull_started_at: None,
            pull_stopped_at: None,
            execution_stopped_at: None,
        };
        let queued = self.0.send(Rejection { change, done }).await.is_ok();
        queued && answer.await.is_ok()
    }
}

/// The component.
pub struct Sender {
    api: Arc<dyn ControlPlane>,
    engine: ReconcilerHandle,
    ids: Arc<dyn Ids>,
    config: ReportConfig,
    lanes: Lanes,
    /// What was acknowledged and is not in the snapshot yet.
    told: BTreeMap<TaskArn, Reported>,
    rejections: mpsc::Receiver<Rejection>,
    /// Tasks that cannot be taken in and whose report is under way: ECS sends them again meanwhile.
    rejected: BTreeSet<TaskArn>,
    rejected_places: Arc<Semaphore>,
    work: JoinSet<Done>,
    /// Tasks whose news cannot be told, so that it is said once.
    stuck: BTreeMap<TaskArn, String>,
}

enum Done {
    Submitted(TaskArn, Box<Reported>, Result<(), ApiError>),
    Rejected(TaskArn),
    Written,
}

enum Turn {
    Changed,
    Done(Done),
    Broke,
    Rejection(Rejection),
    Due,
    Stop,
}

impl Sender {
    /// A sender that has not begun.
    pub fn new(
        config: ReportConfig,
        api: Arc<dyn ControlPlane>,
        engine: ReconcilerHandle,
        ids: Arc<dyn Ids>,
    ) -> (Self, Rejections) {
        let (sender, rejections) = mpsc::channel(REJECTIONS);
        let this = Self {
            api,
            engine,
            ids,
            config,
            lanes: Lanes::default(),
            told: BTreeMap::new(),
            rejections,
            rejected: BTreeSet::new(),
            rejected_places: Arc::new(Semaphore::new(REJECTED_AT_ONCE)),
            work: JoinSet::new(),
            stuck: BTreeMap::new(),
        };
        (this, Rejections(sender))
    }

    /// Runs until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut snapshots = self.engine.changes();
        snapshots.mark_changed();
        loop {
            let wake = self.lanes.next().map(Instant::from_std);
            let sleep = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now));
            // Each arm is cancel-safe: the token, channels and join set by their documentation, the sleep because it
            // is made anew.
            let turn = tokio::select! {
                () = shutdown.cancelled() => Turn::Stop,
                changed = snapshots.changed() => changed.map_or(Turn::Stop, |()| Turn::Changed),
                Some(done) = self.work.join_next() => done.map_or(Turn::Broke, Turn::Done),
                Some(rejection) = self.rejections.recv() => Turn::Rejection(rejection),
                () = sleep, if wake.is_some() => Turn::Due,
            };
            match turn {
                Turn::Stop => break,
                Turn::Done(done) => self.take(done),
                Turn::Rejection(rejection) => self.report_rejection(rejection),
                Turn::Broke => warn!(event = "report-panicked", "a report failed unexpectedly"),
                Turn::Changed | Turn::Due => {}
            }
            self.look();
        }
        self.work.shutdown().await;
    }

    /// Submits what is due now.
    fn look(&mut self) {
        let snapshot = self.engine.snapshot();
        let now = Instant::now().into_std();
        self.lanes.keep(|task| snapshot.tasks.contains_key(task));
        self.told.retain(|arn, told| {
            let task = snapshot.tasks.get(arn);
            task.is_some_and(|view| view.task.known.reported != *told)
        });
        self.stuck.retain(|arn, _| snapshot.tasks.contains_key(arn));
        let excluded = Excluded {
            ipv6: self.config.exclude_ipv6_bindings,
            ipv4: self.config.exclude_ipv4_bindings,
        };
        for (arn, view) in &snapshot.tasks {
            let task = &view.task;
            let reported = self.told.get(arn).unwrap_or(&task.known.reported);
            match due(task, reported, excluded) {
                Due::Nothing => self.lanes.settle(arn),
                Due::Stuck(container) => {
                    self.lanes.settle(arn);
                    self.note_stuck(arn, container.as_str());
                }
                Due::Now(change, acknowledged) => {
                    if self.lanes.begin(arn, Urgency::Task, now, self.chance()) {
                        self.submit(change, acknowledged);
                    }
                }
                Due::Later(change, acknowledged) => {
                    if self
                        .lanes
                        .begin(arn, Urgency::Containers, now, self.chance())
                    {
                        self.submit(change, acknowledged);
                    }
                }
            }
        }
    }

    fn submit(&mut self, change: TaskChange, acknowledged: Reported) {
        let (api, cluster) = (Arc::clone(&self.api), self.config.cluster.clone());
        self.work.spawn(async move {
            let result = api.submit(&cluster, &change).await;
            Done::Submitted(change.task, Box::new(acknowledged), result)
        });
    }

    fn take(&mut self, done: Done) {
        let (arn, acknowledged, result) = match done {
            Done::Submitted(arn, acknowledged, result) => (arn, acknowledged, result),
            Done::Rejected(arn) => {
                self.rejected.remove(&arn);
                return;
            }
            Done::Written => return,
        };
        match result {
            Ok(()) => {
                let status = acknowledged.status.map(TaskStatus::wire);
                info!(event = "state-change-submitted", task.arn = %arn, status, "ECS has taken a state change");
                self.acknowledged(arn, *acknowledged, None);
            }
            Err(error) if error.code() == INVALID => {
                warn!(event = "state-change-refused", task.arn = %arn, %error, "ECS refuses a state change for good; it is given up");
                let why = format!("ECS refuses the report for good: {error}");
                // No more than was sent: what has become of the task meanwhile is told.
                self.acknowledged(arn, *acknowledged, Some(why));
            }
            Err(error) => {
                let (now, chance) = (Instant::now().into_std(), self.chance());
                let wait = if error.is_throttled() {
                    self.lanes.throttled(&arn, now, chance)
                } else {
                    self.lanes.failed(&arn, now, chance)
                };
                let seconds = wait.as_secs();
                debug!(task.arn = %arn, %error, seconds, "ECS has not taken a state change; trying again");
            }
        }
    }

    /// With words, ECS has refused it for good.
    fn acknowledged(&mut self, arn: TaskArn, reported: Reported, refused: Option<String>) {
        self.lanes.taken(&arn);
        self.stuck.remove(&arn);
        self.told.insert(arn.clone(), reported.clone());
        let engine = self.engine.clone();
        let chance = self.chance();
        self.work.spawn(async move {
            let mut backoff = Backoff::new(RETRY);
            loop {
                let written = match &refused {
                    Some(why) => engine.given_up(&arn, reported.clone(), why.clone()).await,
                    None => engine.reported(&arn, reported.clone()).await,
                };
                match written {
                    Ok(()) | Err(HandleError::NotFound(_) | HandleError::Closed) => break,
                    Err(_) => tokio::time::sleep(backoff.wait(chance)).await,
                }
            }
            Done::Written
        });
    }

    fn report_rejection(&mut self, rejection: Rejection) {
        let (api, cluster) = (Arc::clone(&self.api), self.config.cluster.clone());
        let chance = self.chance();
        let Rejection { change, done } = rejection;
        // Who asks while it is told already hears that it is not told yet, and ECS sends it again.
        if !self.rejected.insert(change.task.clone()) {
            return;
        }
        let places = Arc::clone(&self.rejected_places);
        warn!(event = "task-not-taken-in", task.arn = %change.task, reason = change.reason, "a task cannot be taken in");
        self.work.spawn(async move {
            let mut backoff = Backoff::new(RETRY);
            loop {
                let place = places.acquire().await;
                let submitted = api.submit(&cluster, &change).await;
                drop(place);
                match submitted {
                    Err(error) if error.code() != INVALID => {
                        debug!(task.arn = %change.task, %error, "a report was not taken; trying again");
                        tokio::time::sleep(backoff.wait(chance)).await;
                    }
                    Ok(()) | Err(_) => break,
                }
            }
            // Whoever waited may be gone.
            let _gone = done.send(());
            Done::Rejected(change.task)
        });
    }

    fn note_stuck(&mut self, arn: &TaskArn, container: &str) {
        if self.stuck.get(arn).is_none_or(|before| before != container) {
            warn!(event = "state-change-cut", task.arn = %arn, container.name = container, "more than 100 port bindings beside a range: ECS does not take them");
            self.stuck.insert(arn.clone(), container.to_owned());
        }
    }

    fn chance(&self) -> Chance {
        let part = self.ids.jitter(Duration::from_secs(1)).as_millis();
        Chance::per_mille(u16::try_from(part).unwrap_or_default())
    }
}
