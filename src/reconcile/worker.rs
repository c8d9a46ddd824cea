//! The engine's loop: takes in what arrived, thinks about the keys that are due, commits once, then acts.
//!
//! ```text
//!          commands ─┐
//!   news of Docker ──┼─► gather ─► think (pure, per key) ─► commit (one transaction) ─► act, answer, publish
//!  finished actions ─┤                                          │ failed
//!            timers ─┘                                          └─► nothing happened; try again with back-off
//! ```
//!
//! **Invariants.** No effect before the commit it rests on, flushed to the disk. Nothing of a failed commit is kept in memory, nothing that
//! arrived is lost by it, and the rows are read again before the next, since it may have been durable all the same. The loop itself waits for the store only; Docker is waited for in actions of their own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::boundary::meter::{Meter, Round};
use crate::boundary::store::{Loaded, StoredEvent};
use crate::boundary::{
    Clock, ContainerRuntime, DesiredCodec, Host, HostProbe, Ids, ImageSource, TaskRoles,
    TaskSecrets, TaskStore, VolumeRuntime,
};
use crate::domain::draining::Draining;
use crate::domain::host::HostFacts;
use crate::domain::ids::{DockerId, TaskArn, UnixMillis};
use crate::domain::status::TaskStatus;
use crate::domain::task::Task;
use crate::error::ErrorChain;

use super::action::{Action, Outcome};
use super::commands::Staged;
use super::commit::Rows;
use super::entries::Entries;
use super::entry::{Entry, Pass};
use super::execute::Executor;
use super::handle::{COMMAND_CAPACITY, Command, EVENT_CAPACITY, ReconcilerHandle};
use super::queue::Queue;
use super::relist::{NEWS_CAPACITY, News, Watcher};
use super::settings::EngineSettings;
use super::shutdown::{self, Ending};
use super::snapshot::{EngineView, Snapshot};
use super::timeline::TIMELINE_EVENTS;

/// Keys in one transaction: a payload of 1,000 tasks in two.
const MAX_BATCH: usize = 512;

/// Removed tasks that are remembered: more than go while a call of Docker can still be under way.
const MAX_FORGOTTEN: usize = 1024;

/// Wait after a commit that failed.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Wait after a decision that panicked: the task is looked at again, not the agent restarted.
const PANIC_RETRY: Duration = Duration::from_mins(1);

/// How often the progress of pulls is shown.
const PROGRESS_PACE: Duration = Duration::from_millis(250);

/// Longest time between two turns of the loop, so that one that stands still is noticed.
const PULSE: Duration = Duration::from_secs(5);

/// How far the wall clock may go off the steady one before it counts as set: slewing stays far below.
const CLOCK_SLACK: Duration = Duration::from_millis(500);

/// Everything the engine works with.
pub struct Dependencies {
    /// Docker's containers.
    pub runtime: Arc<dyn ContainerRuntime>,
    /// Docker's volumes.
    pub volumes: Arc<dyn VolumeRuntime>,
    /// Images.
    pub images: Arc<dyn ImageSource>,
    /// Values that tasks get from outside their definitions.
    pub secrets: Arc<dyn TaskSecrets>,
    /// The host beside Docker.
    pub host: Arc<dyn Host>,
    /// Rows.
    pub store: Arc<dyn TaskStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub ids: Arc<dyn Ids>,
    /// Credentials of roles; `None` = they are not served, and no container waits for them.
    pub roles: Option<Arc<dyn TaskRoles>>,
    /// Desired state on containers.
    pub codec: Arc<dyn DesiredCodec>,
    /// The host as data.
    pub probe: Arc<dyn HostProbe>,
    /// Who counts the work.
    pub meter: Arc<dyn Meter>,
    /// Operators' settings.
    pub settings: EngineSettings,
    /// What was found damaged before the engine began, one line each.
    pub damage: Vec<String>,
}

pub(super) type Finished = (TaskArn, Action, Outcome);

/// The engine.
pub struct Reconciler {
    pub(super) deps: Dependencies,
    pub(super) executor: Executor,
    pub(super) entries: Entries,
    pub(super) queue: Queue,
    pub(super) flights: JoinSet<Finished>,
    pub(super) flight_keys: BTreeMap<tokio::task::Id, (TaskArn, Action)>,
    commands: mpsc::Receiver<Command>,
    pub(super) view: EngineView,
    pub(super) host: Option<Arc<HostFacts>>,
    pub(super) runtime_up: bool,
    pub(super) listed_once: bool,
    pub(super) last_port: u16,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) changed: watch::Sender<u64>,
    pub(super) events: broadcast::Sender<StoredEvent>,
    turned_at: Arc<AtomicI64>,
    pub(super) nudge: Arc<Notify>,
    pub(super) pace: watch::Sender<Duration>,
    /// Strays that cannot be understood.
    pub(super) left_alone: BTreeSet<DockerId>,
    /// The wall clock and the steady one at the last turn.
    clocks: (UnixMillis, Instant),
    pub(super) rows: Rows,
    /// Tasks removed last: a container of theirs that appears is no task to be rebuilt.
    pub(super) forgotten: VecDeque<TaskArn>,
    /// Rebuilt tasks whose desired state is not committed yet.
    pub(super) adopted: Vec<crate::domain::task::DesiredTask>,
    /// Tasks have come, changed or gone otherwise than by a command, and whoever keeps roles and images has not heard of it.
    pub(super) untold: bool,
}

enum Turn {
    Command(Option<Command>),
    News(Option<News>),
    Finished(Option<Result<(tokio::task::Id, Finished), JoinError>>),
    Roles,
    Due,
    Progress,
    Pulse,
    Shutdown,
}

impl Reconciler {
    /// An engine that has not begun, and the way into it.
    pub fn new(deps: Dependencies) -> (Self, ReconcilerHandle) {
        let (command_sender, commands) = mpsc::channel(COMMAND_CAPACITY);
        let (changed, changed_receiver) = watch::channel(0);
        let (events, _) = broadcast::channel(EVENT_CAPACITY);
        let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
        let turned_at = Arc::new(AtomicI64::new(0));
        let handle = ReconcilerHandle {
            commands: command_sender,
            snapshot: Arc::clone(&snapshot),
            changed: changed_receiver,
            events: events.clone(),
            turned_at: Arc::clone(&turned_at),
        };
        let executor = Executor::new(
            Arc::clone(&deps.runtime),
            Arc::clone(&deps.volumes),
            (Arc::clone(&deps.images), Arc::clone(&deps.secrets)),
            Arc::clone(&deps.host),
            &deps.settings,
        );
        let (pace, _) = watch::channel(deps.settings.relist_busy);
        let view = EngineView {
            damage: deps.damage.clone(),
            ..EngineView::default()
        };
        let clocks = (deps.clock.now(), Instant::now());
        let reconciler = Self {
            deps,
            executor,
            entries: Entries::default(),
            queue: Queue::default(),
            flights: JoinSet::new(),
            flight_keys: BTreeMap::new(),
            commands,
            view,
            host: None,
            runtime_up: false,
            listed_once: false,
            last_port: 0,
            snapshot,
            changed,
            events,
            turned_at,
            nudge: Arc::new(Notify::new()),
            pace,
            left_alone: BTreeSet::new(),
            clocks,
            rows: Rows::default(),
            forgotten: VecDeque::new(),
            adopted: Vec::new(),
            untold: false,
        };
        (reconciler, handle)
    }

    /// Runs until told to end. Never touches a running container on the way out.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let (news_sender, mut news) = mpsc::channel(NEWS_CAPACITY);
        let watcher = Watcher {
            runtime: Arc::clone(&self.deps.runtime),
            news: news_sender.clone(),
            pace: self.pace.subscribe(),
            nudge: Arc::clone(&self.nudge),
        };
        if !self.load(&shutdown).await {
            return;
        }
        let mut watching = JoinSet::new();
        watching.spawn(watcher.run(shutdown.child_token()));
        watching.spawn(recall(Arc::clone(&self.deps.store), news_sender));
        let mut ending = Ending::Orderly;
        while ending == Ending::Orderly {
            let turn = self.turn(&mut news, &shutdown).await;
            self.turned_at
                .store(self.deps.clock.now().0, Ordering::Relaxed);
            if matches!(turn, Turn::Pulse) {
                self.heed_clock();
                continue;
            }
            if matches!(turn, Turn::Progress) {
                self.publish();
                continue;
            }
            if matches!(turn, Turn::Shutdown) {
                break;
            }
            // Cancel-safe: a commit that is let go is in doubt, and the next start reads the rows.
            tokio::select! {
                biased;
                () = self.take_turn(turn, &mut news) => {}
                () = shutdown::overdue(&shutdown) => ending = Ending::StoreHangs,
            }
        }
        drop(news);
        self.end(ending).await;
        watching.shutdown().await;
    }

    /// Reads the rows; keeps trying while they cannot be read at all. False = told to end.
    async fn load(&mut self, shutdown: &CancellationToken) -> bool {
        loop {
            match self.deps.store.load().await {
                Ok(loaded) => {
                    self.take_loaded(loaded);
                    return true;
                }
                Err(failure) => {
                    let why = ErrorChain(&failure).to_string();
                    self.note_store_error(&why, "the store cannot be read; trying again");
                    self.publish();
                }
            }
            if shutdown
                .run_until_cancelled(tokio::time::sleep(STORE_RETRY))
                .await
                .is_none()
            {
                return false;
            }
        }
    }

    fn take_loaded(&mut self, loaded: Loaded) {
        self.view.store_error = None;
        self.view.draining = loaded.draining;
        for damage in loaded.damage {
            warn!(
                event = "state-damaged",
                task.arn = damage.task.as_ref().map(TaskArn::as_str),
                "{}",
                damage.message
            );
            self.view.damage.push(damage.message);
        }
        for task in loaded.tasks {
            self.insert(task);
        }
        info!(
            event = "state-loaded",
            tasks = self.entries.len(),
            "state loaded"
        );
        self.tell_needed_images();
        self.tell_wanted_roles();
        self.publish();
    }

    pub(super) fn insert(&mut self, task: Task) {
        self.untold = true;
        let arn = task.arn().clone();
        self.queue.wake(&arn, UnixMillis(0));
        self.entries
            .insert(arn, Entry::new(task, self.deps.codec.as_ref()));
    }

    async fn turn(
        &mut self,
        news: &mut mpsc::Receiver<News>,
        shutdown: &CancellationToken,
    ) -> Turn {
        let now = self.deps.clock.now();
        let due = self
            .queue
            .next()
            .filter(|_| self.listed_once)
            .map(|at| at.since(now));
        let sleep = tokio::time::sleep(due.unwrap_or(Duration::from_hours(1)));
        let pulling = self.entries.values().any(Entry::is_pulling);
        // Each arm is cancel-safe: channels and the join set give whole items, the sleep holds no state, news of roles
        // are cancel-safe by their trait.
        // In order, so that a seed gives the same run. Nothing starves: a turn takes in all that is ready and due.
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Turn::Shutdown,
            command = self.commands.recv() => Turn::Command(command),
            item = news.recv() => Turn::News(item),
            finished = self.flights.join_next_with_id(), if !self.flights.is_empty() => Turn::Finished(finished),
            () = roles_changed(self.deps.roles.as_deref()) => Turn::Roles,
            () = sleep, if due.is_some() => Turn::Due,
            () = tokio::time::sleep(PROGRESS_PACE), if pulling => Turn::Progress,
            () = tokio::time::sleep(PULSE) => Turn::Pulse,
        }
    }

    /// Takes in the turn and everything else that is ready, then decides and acts.
    async fn take_turn(&mut self, first: Turn, news: &mut mpsc::Receiver<News>) {
        self.settle_doubt().await;
        let mut staged = Staged::default();
        match first {
            Turn::Command(Some(command)) => self.stage(command, &mut staged),
            Turn::News(Some(item)) => self.take_news(item).await,
            Turn::Finished(Some(finished)) => self.take_finished(finished),
            Turn::Roles => self.wake_for_roles(self.deps.clock.now()),
            Turn::Command(None)
            | Turn::News(None)
            | Turn::Finished(None)
            | Turn::Due
            | Turn::Progress
            | Turn::Pulse
            | Turn::Shutdown => {}
        }
        for _ in 0..MAX_BATCH {
            if let Ok(command) = self.commands.try_recv() {
                self.stage(command, &mut staged);
            } else if let Ok(item) = news.try_recv() {
                self.take_news(item).await;
            } else if let Some(finished) = self.flights.try_join_next_with_id() {
                self.take_finished(finished);
            } else {
                break;
            }
        }
        self.decide(staged).await;
    }

    /// Instants that were written down before the clock was set mean something else now: every task is looked at, and
    /// what waits in it goes on waiting for as long as before. Steps under way have a deadline on the steady clock.
    /// Gives the instant up to which that has been done.
    pub(super) fn heed_clock(&mut self) -> UnixMillis {
        let (now, steady) = (self.deps.clock.now(), Instant::now());
        let (last, at) = std::mem::replace(&mut self.clocks, (now, steady));
        let expected = last.plus(steady.saturating_duration_since(at));
        let (behind, ahead) = (expected.since(now), now.since(expected));
        if behind.max(ahead) <= CLOCK_SLACK {
            return now;
        }
        warn!(
            event = "clock-set",
            seconds = behind.max(ahead).as_secs(),
            "the clock was set {}; every task is looked at",
            if behind > ahead { "back" } else { "forward" }
        );
        let shift = now.0.saturating_sub(expected.0);
        for (key, entry) in self.entries.iter_mut() {
            entry.clock_was_set(shift);
            self.queue.wake(key, now);
        }
        now
    }

    pub(super) fn mark_down(&mut self, why: &str) {
        if self.runtime_up || self.view.runtime_error.is_none() {
            warn!(
                event = "docker-down",
                error = why,
                "Docker does not answer; tasks keep their last known state"
            );
        }
        self.runtime_up = false;
        self.view.runtime_error = Some(why.to_owned());
    }

    /// Thinks about every key that is due, commits, acts.
    async fn decide(&mut self, staged: Staged) {
        let now = self.heed_clock();
        let (began, due) = (Instant::now(), self.queue.next());
        let mut keys: BTreeSet<TaskArn> = staged.keys();
        let tasks_changed = staged.changes_desired() || self.untold;
        if tasks_changed {
            // Before the first look at a new task: none goes on because nobody knows its role yet.
            self.tell_wanted_roles();
        }
        if self.listed_once {
            // Whatever waits for the store to work again goes with the first commit that may show that it does: after
            // it nothing else says why those tasks stand still.
            let until = match self.view.store_error {
                Some(_) => now.plus(STORE_RETRY),
                None => now,
            };
            keys.extend(self.queue.take_due(until, MAX_BATCH));
        }
        let draining = staged.draining(self.view.draining.as_ref()).cloned();
        let passes = if self.listed_once {
            self.think(&mut keys, draining.as_ref(), now)
        } else {
            Vec::new()
        };
        if let Err(failure) = self.write_down(&staged, &passes, now).await {
            let why = ErrorChain(&failure).to_string();
            self.note_store_error(
                &why,
                "state cannot be written; nothing is done until it can",
            );
            self.rows.in_doubt = true;
            staged.roll_back(&mut self.entries, &why, self.deps.codec.as_ref());
            self.tell_wanted_roles();
            for key in keys {
                self.queue.wake(&key, now.plus(STORE_RETRY));
            }
            self.publish();
            return;
        }
        if !passes.is_empty() {
            self.deps.meter.decided(Round {
                keys: passes.len(),
                lag: due.map_or(Duration::ZERO, |due| now.since(due)),
                took: began.elapsed(),
                queued: self.queue.len(),
            });
        }
        self.adopted.clear();
        if staged.changes_draining() {
            self.take_draining(draining, now);
        }
        staged.count(&self.entries, &self.deps);
        let freed = self.install(passes, now);
        if freed {
            self.wake_waiting(now);
        }
        if freed || tasks_changed {
            self.tell_needed_images();
            self.tell_wanted_roles();
            self.untold = false;
        }
        self.publish();
        // Whoever hears that it is done finds it in the snapshot.
        staged.answer();
    }

    /// Whether the instance drains is durable: tasks that wait are told, or start.
    pub(super) fn take_draining(&mut self, draining: Option<Draining>, now: UnixMillis) {
        if let Some(draining) = &draining {
            info!(
                event = "drain-begun",
                reason = draining.reason,
                "the instance drains"
            );
        } else {
            info!(event = "drain-ended", "the instance drains no more");
        }
        self.view.draining = draining;
        self.wake_waiting(now);
    }

    /// Tried again every second: told once, and again when the cause is another.
    fn note_store_error(&mut self, why: &str, what: &str) {
        if self.view.store_error.as_deref() != Some(why) {
            warn!(event = "state-store-failing", error = %why, "{what}");
            self.view.store_error = Some(why.to_owned());
        }
    }

    /// The passes are durable: take them over and start their actions. True = a task let go of host resources.
    fn install(&mut self, passes: Vec<(TaskArn, Pass)>, now: UnixMillis) -> bool {
        let mut freed = false;
        for (arn, pass) in passes {
            let Some(entry) = self.entries.get_mut(&arn) else {
                continue;
            };
            let was = entry.task.known.status;
            entry.install(&pass);
            freed |= was != TaskStatus::Stopped && entry.task.known.status == TaskStatus::Stopped;
            if pass.plan.forget {
                self.drop_entry(&arn);
                freed = true;
                continue;
            }
            if let Some(at) = pass.plan.next {
                self.queue.wake(&arn, at);
            }
            for subject in &pass.plan.cancel {
                if let Some(handle) = entry.flights.get(subject) {
                    handle.cancel.cancel();
                }
            }
            for action in pass.plan.actions {
                self.launch(&arn, action, now);
            }
        }
        freed
    }

    /// Nothing of the task is left.
    pub(super) fn drop_entry(&mut self, arn: &TaskArn) {
        self.untold = true;
        self.entries.remove(arn);
        self.deps.secrets.forget(arn.task_id());
        self.queue.remove(arn);
        self.forgotten.truncate(MAX_FORGOTTEN - 1);
        self.forgotten.push_front(arn.clone());
    }

    /// Images of tasks that have not stopped are never cleaned up.
    fn tell_needed_images(&self) {
        let live = self
            .entries
            .values()
            .filter(|entry| entry.task.known.status != TaskStatus::Stopped);
        let images = live.flat_map(|entry| &entry.task.desired.definition.containers);
        self.deps.images.set_needed(
            images
                .map(|container| container.image.normalized())
                .collect(),
        );
    }

    /// Tasks that wait for host resources are looked at again.
    pub(super) fn wake_waiting(&mut self, now: UnixMillis) {
        for (arn, entry) in self.entries.iter() {
            if entry.task.known.admitted_at.is_none()
                && entry.task.known.status != TaskStatus::Stopped
            {
                self.queue.wake(arn, now);
            }
        }
    }

    /// A decision that panicked is this task's trouble alone.
    pub(super) fn quarantine(&mut self, arn: &TaskArn, now: UnixMillis) {
        error!(event = "decision-panicked", task.arn = %arn, "deciding about the task panicked; it is left alone for a while");
        self.queue.wake(arn, now.plus(PANIC_RETRY));
    }
}

/// Reads the ends of all timelines beside the loop: the engine does not wait for its past.
async fn recall(store: Arc<dyn TaskStore>, news: mpsc::Sender<News>) {
    let read = store.recent_events(TIMELINE_EVENTS).await;
    let recalled = read.map_err(|failure| ErrorChain(&failure).to_string());
    // An engine that has ended meanwhile needs no past.
    drop(news.send(News::Recalled(recalled)).await);
}

/// News of roles; never, where they are not served.
async fn roles_changed(roles: Option<&dyn TaskRoles>) {
    match roles {
        Some(roles) => roles.changed().await,
        None => std::future::pending().await,
    }
}
