//! Telemetry: rounds of metrics and health every 20 seconds, told over a session of its own.
//!
//! **Invariant.** Rounds are made whether there is a session or not; those that wait are few, and the newest are let
//! go of when there are too many.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::agent::Shared;
use super::session::{self, Opened, Peer, Trouble, WRITE_LIMIT};
use crate::domain::ids::UnixMillis;
use crate::domain::status::TaskStatus;
use crate::ecs::link::{Action, Event, How, Link};
use crate::ecs::tcs::timers::{PACE, TCS};
use crate::ecs::tcs::{
    Round, Series, Waiting, health_requests, health_tasks, is_sign_of_life, metrics_requests,
    runtime_status, status_request,
};
use crate::error::ErrorChain;

/// How often it is looked for new readings: more often than they are taken.
const LOOK_PACE: Duration = Duration::from_secs(1);

enum Turn {
    Frame(Result<String, How>),
    Opened(Result<Opened, Trouble>),
    Broke,
    Look,
    Round,
    HealthChecked,
    Inactive,
    Due,
    Stop,
}

/// The loop.
pub(super) struct Telemetry {
    shared: Arc<Shared>,
    instance: String,
    link: Link,
    open: Option<Opened>,
    opening: JoinSet<Result<Opened, Trouble>>,
    series: Series,
    waiting: Waiting,
    /// Whether the container engine answered when it was last looked at, and since when.
    runtime: (bool, UnixMillis),
    /// Its state is to be told.
    tell_status: bool,
    problem: String,
}

impl Telemetry {
    pub(super) fn new(shared: Arc<Shared>, instance: String) -> Self {
        let now = shared.now();
        Self {
            link: Link::new(TCS, Instant::now().into_std()),
            shared,
            instance,
            open: None,
            opening: JoinSet::new(),
            series: Series::default(),
            waiting: Waiting::default(),
            runtime: (true, now),
            tell_status: true,
            problem: String::new(),
        }
    }

    /// Runs until `shutdown`. `heartbeats` changes with each heartbeat of ACS, `inactive` when ACS says that the
    /// instance is not active.
    pub(super) async fn run(
        mut self,
        mut heartbeats: watch::Receiver<u64>,
        mut inactive: watch::Receiver<u64>,
        shutdown: CancellationToken,
    ) {
        let mut look = tokio::time::interval(LOOK_PACE);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rounds = tokio::time::interval(PACE);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wake = self.link.next().map(Instant::from_std);
            let sleep = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now));
            // Each arm is cancel-safe: the token, watches, intervals, the reader and the join set by their
            // documentation, the sleep because it is made anew.
            let turn = tokio::select! {
                () = shutdown.cancelled() => Turn::Stop,
                frame = heard(self.open.as_mut()) => Turn::Frame(frame),
                Some(opened) = self.opening.join_next() => opened.map_or(Turn::Broke, Turn::Opened),
                changed = heartbeats.changed() => changed.map_or(Turn::Stop, |()| Turn::HealthChecked),
                changed = inactive.changed() => changed.map_or(Turn::Stop, |()| Turn::Inactive),
                _ = look.tick() => Turn::Look,
                _ = rounds.tick() => Turn::Round,
                () = sleep, if wake.is_some() => Turn::Due,
            };
            match turn {
                Turn::Stop => break,
                Turn::Frame(Ok(text)) => self.heard(&text),
                Turn::Frame(Err(how)) => self.ended(how),
                Turn::Opened(Ok(open)) => self.opened(open),
                Turn::Opened(Err(trouble)) => self.refused(trouble.words),
                Turn::Broke => self.refused("a step failed unexpectedly".to_owned()),
                Turn::Look => self.look(),
                Turn::Round => self.round(),
                Turn::HealthChecked => self.tell_status = true,
                Turn::Inactive => self.close().await,
                Turn::Due => self.tick().await,
            }
            self.send_waiting().await;
        }
    }

    fn on(&mut self, event: Event) -> Option<Action> {
        self.link
            .on(event, Instant::now().into_std(), self.shared.chance())
    }

    async fn tick(&mut self) {
        match self.on(Event::Tick) {
            None => {}
            Some(Action::Connect) => {
                let (shared, instance) = (Arc::clone(&self.shared), self.instance.clone());
                self.opening
                    .spawn(async move { session::open(&shared, &instance, Peer::Tcs).await });
            }
            Some(Action::Close) => self.close().await,
            Some(Action::Drop) => self.open = None,
        }
    }

    async fn close(&mut self) {
        if let Some(open) = &mut self.open {
            // One that cannot be closed is dropped in time.
            let _late = tokio::time::timeout(LOOK_PACE, open.socket.writer.close()).await;
        }
    }

    fn opened(&mut self, open: Opened) {
        info!(event = "tcs-open", "a telemetry session is open");
        self.problem.clear();
        self.open = Some(open);
        self.on(Event::Connected);
    }

    fn refused(&mut self, words: String) {
        if self.problem != words {
            info!(
                event = "tcs-failing",
                error = words,
                "no telemetry session; trying again"
            );
            self.problem = words;
        }
        self.on(Event::Refused { inactive: false });
    }

    fn ended(&mut self, how: How) {
        debug!(how = ?how, "the telemetry session has ended");
        self.open = None;
        // The loop keeps trying whatever the reason (reference agent).
        let how = if how == How::Inactive {
            How::Broken
        } else {
            how
        };
        self.on(Event::Ended(how));
    }

    fn heard(&mut self, text: &str) {
        if is_sign_of_life(text) {
            self.on(Event::Heard);
        } else {
            debug!("a telemetry frame is passed over");
        }
    }

    fn look(&mut self) {
        if let Some(usage) = &self.shared.usage {
            let usage = usage();
            for container in usage
                .tasks
                .values()
                .flat_map(|task| task.containers.values())
            {
                if let Some(sample) = &container.latest {
                    self.series.record(&container.docker_id, sample);
                }
            }
        }
        let answers = self.shared.engine.snapshot().engine.runtime_error.is_none();
        if answers != self.runtime.0 {
            self.runtime = (answers, self.shared.now());
        }
    }

    fn round(&mut self) {
        let snapshot = self.shared.engine.snapshot();
        let ours = || {
            snapshot
                .tasks
                .values()
                .map(|view| &view.task)
                .filter(|task| task.is_of_ecs())
        };
        let idle = !ours().any(|task| task.known.status != TaskStatus::Stopped);
        let (now, round) = (self.shared.now(), self.a_round());
        let tasks = self.series.round(ours());
        let mut frames = metrics_requests(&round, idle || self.shared.usage.is_none(), tasks);
        frames.extend(health_requests(&self.a_round(), &health_tasks(ours(), now)));
        if self.tell_status && self.open.is_some() {
            self.tell_status = false;
            let answered = snapshot.engine.runtime_answered_at;
            let status = runtime_status(answered, self.runtime.0, self.runtime.1, now);
            frames.push(status_request(&self.a_round(), status));
        }
        self.waiting.add(frames);
    }

    fn a_round(&self) -> Round {
        Round {
            cluster: self.shared.config.cluster().to_owned(),
            instance: self.instance.clone(),
            id: self.shared.fresh_uuid(),
            at: self.shared.now(),
        }
    }

    async fn send_waiting(&mut self) {
        while let Some(open) = &mut self.open {
            let Some(frames) = self.waiting.take() else {
                return;
            };
            for frame in frames {
                let signed = match self.shared.connector.signed_frame(&open.url, &frame).await {
                    Ok(signed) => signed,
                    Err(error) => {
                        debug!(error = %ErrorChain(&error), "a telemetry frame cannot be signed; it is left out");
                        continue;
                    }
                };
                let sent = tokio::time::timeout(WRITE_LIMIT, open.socket.writer.send(signed)).await;
                if !matches!(sent, Ok(Ok(()))) {
                    self.ended(How::Broken);
                    return;
                }
            }
        }
    }
}

async fn heard(open: Option<&mut Opened>) -> Result<String, How> {
    match open {
        Some(open) => open.socket.reader.next().await,
        None => std::future::pending().await,
    }
}
