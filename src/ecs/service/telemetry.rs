//! Telemetry: rounds of metrics and health every 20 seconds, told over a session of its own.
//!
//! **Invariants.** Rounds are made whether there is a session or not; those that wait are few, and the newest are let
//! go of when there are too many. The loop waits for nothing that is written: a peer that takes nothing holds up its
//! session alone. Nor does it wait for the container engine, which is looked at once for each heartbeat of ACS, one
//! look at a time, and told of as soon as it has been looked at.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::agent::Shared;
use super::session::{self, Opened, Peer, Trouble, TroubleKind, WRITE_LIMIT};
use crate::ecs::connect::{SocketReader, SocketWriter};
use crate::ecs::link::{Action, Event, How, Link};
use crate::ecs::tcs::timers::{PACE, PING_LIMIT, TCS};
use crate::ecs::tcs::{
    Round, RuntimeHealth, Series, Waiting, health_requests, health_tasks, is_sign_of_life,
    is_tracked, metrics_requests, status_request,
};
use crate::error::ErrorChain;

/// How often it is looked for new readings: more often than they are taken.
const LOOK_PACE: Duration = Duration::from_secs(1);

/// Rounds that the writer has taken over and not begun to write.
const OUTGOING: usize = 1;

/// An open session.
struct Open {
    reader: SocketReader,
    outgoing: mpsc::Sender<Vec<String>>,
    /// The writer; ended with the session.
    writer: JoinSet<()>,
    /// Asks it to close the session.
    close: CancellationToken,
}

enum Turn {
    Frame(Result<String, How>),
    Opened(Result<Opened, Trouble>),
    Broke,
    Look,
    Round,
    Heartbeat,
    /// The container engine has been looked at; if it does not answer, why.
    Checked(Result<(), String>),
    Inactive,
    Due,
    Stop,
}

/// The loop.
pub(super) struct Telemetry {
    shared: Arc<Shared>,
    instance: String,
    link: Link,
    open: Option<Open>,
    opening: JoinSet<Result<Opened, Trouble>>,
    series: Series,
    waiting: Waiting,
    runtime: RuntimeHealth,
    /// The look at the container engine that is under way.
    checking: JoinSet<Result<(), String>>,
    /// How well that is, is to be told.
    tell_status: bool,
    problem: String,
}

impl Telemetry {
    pub(super) fn new(shared: Arc<Shared>, instance: String) -> Self {
        let now = shared.now();
        Self {
            link: Link::new(TCS, Instant::now().into_std()),
            series: Series::since(shared.began),
            shared,
            instance,
            open: None,
            opening: JoinSet::new(),
            waiting: Waiting::default(),
            runtime: RuntimeHealth::new(now),
            checking: JoinSet::new(),
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
            // Each arm is cancel-safe: the token, watches, intervals, the reader and the join sets by their
            // documentation, the sleep because it is made anew. A heartbeat during a look is one for the next.
            let turn = tokio::select! {
                () = shutdown.cancelled() => Turn::Stop,
                frame = heard(self.open.as_mut()) => Turn::Frame(frame),
                Some(opened) = self.opening.join_next() => opened.map_or(Turn::Broke, Turn::Opened),
                Some(checked) = self.checking.join_next() => Turn::Checked(checked.unwrap_or_else(|error| Err(error.to_string()))),
                changed = heartbeats.changed(), if self.checking.is_empty() => changed.map_or(Turn::Stop, |()| Turn::Heartbeat),
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
                Turn::Opened(Err(trouble)) => self.refused(trouble),
                Turn::Broke => self.refused(Trouble::new("a step failed unexpectedly")),
                Turn::Look => self.look(),
                Turn::Round => self.round(),
                Turn::Heartbeat => self.check(),
                Turn::Checked(answer) => self.checked(&answer),
                Turn::Inactive => self.close(),
                Turn::Due => self.tick(),
            }
            self.send_waiting();
        }
    }

    fn on(&mut self, event: Event) -> Option<Action> {
        self.link
            .on(event, Instant::now().into_std(), self.shared.chance())
    }

    fn tick(&mut self) {
        match self.on(Event::Tick) {
            None => {}
            Some(Action::Connect) => {
                let (shared, instance) = (Arc::clone(&self.shared), self.instance.clone());
                self.opening
                    .spawn(async move { session::open(&shared, &instance, Peer::Tcs).await });
            }
            Some(Action::Close) => self.close(),
            Some(Action::Drop) => self.open = None,
        }
    }

    /// Once the round that is being written is. What cannot be closed is dropped in time.
    fn close(&self) {
        if let Some(open) = &self.open {
            open.close.cancel();
        }
    }

    fn opened(&mut self, opened: Opened) {
        info!(event = "tcs-open", "a telemetry session is open");
        self.problem.clear();
        let (outgoing, rounds) = mpsc::channel(OUTGOING);
        let mut writer = JoinSet::new();
        let Opened { socket, url } = opened;
        let close = CancellationToken::new();
        let shared = Arc::clone(&self.shared);
        writer.spawn(write(shared, socket.writer, url, rounds, close.clone()));
        self.open = Some(Open {
            reader: socket.reader,
            outgoing,
            writer,
            close,
        });
        self.on(Event::Connected);
    }

    fn refused(&mut self, trouble: Trouble) {
        // The loop keeps trying whatever the reason (reference agent).
        let event = if trouble.kind == TroubleKind::Inactive {
            Event::Refused { inactive: false }
        } else {
            trouble.event()
        };
        let words = trouble.words;
        if self.problem != words {
            info!(
                event = "tcs-failing",
                error = words,
                "no telemetry session; trying again"
            );
            self.problem = words;
        }
        self.on(event);
    }

    fn ended(&mut self, how: How) {
        debug!(how = ?how, "the telemetry session has ended");
        self.open = None;
        // As above.
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
    }

    /// Looks how well the container engine is, beside the loop.
    fn check(&mut self) {
        let runtime = Arc::clone(&self.shared.runtime);
        self.checking.spawn(async move {
            let answer = runtime.ping(PING_LIMIT).await;
            answer.map_err(|error| ErrorChain(&error).to_string())
        });
    }

    fn checked(&mut self, answer: &Result<(), String>) {
        let news = self.runtime.looked(answer.is_ok(), self.shared.now());
        self.tell_status = true;
        if news && let Err(error) = answer {
            warn!(
                event = "instance-impaired",
                error, "Docker does not answer a ping; ECS is told that the instance is impaired"
            );
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
        let idle = !ours().any(is_tracked);
        let (now, round) = (self.shared.now(), self.a_round());
        let tasks = self.series.round(ours());
        let mut frames = metrics_requests(&round, idle || self.shared.usage.is_none(), tasks);
        frames.extend(health_requests(&self.a_round(), &health_tasks(ours(), now)));
        if !self.waiting.add(frames) {
            self.series.forget_round();
        }
    }

    fn a_round(&self) -> Round {
        Round {
            cluster: self.shared.config.cluster().to_owned(),
            instance: self.instance.clone(),
            id: self.shared.fresh_uuid(),
            at: self.shared.now(),
        }
    }

    /// What the writer has no room for goes on waiting.
    fn send_waiting(&mut self) {
        let open = self.open.as_ref();
        let Some(open) = open.filter(|open| !open.close.is_cancelled()) else {
            return;
        };
        let outgoing = open.outgoing.clone();
        while let Ok(room) = outgoing.try_reserve() {
            let Some(frames) = self.next_frames() else {
                return;
            };
            room.send(frames);
        }
    }

    /// How well the container engine is, if that is to be told; then the oldest round.
    fn next_frames(&mut self) -> Option<Vec<String>> {
        if std::mem::take(&mut self.tell_status) {
            let frame = status_request(&self.a_round(), self.runtime.status());
            return Some(vec![frame]);
        }
        self.waiting.take()
    }
}

async fn heard(open: Option<&mut Open>) -> Result<String, How> {
    let Some(open) = open else {
        return std::future::pending().await;
    };
    // Cancel-safe as its arms are.
    tokio::select! {
        frame = open.reader.next() => frame,
        _ = open.writer.join_next() => Err(How::Broken),
    }
}

/// Ends with the first frame that cannot be written.
async fn write(
    shared: Arc<Shared>,
    mut socket: SocketWriter,
    url: String,
    mut rounds: mpsc::Receiver<Vec<String>>,
    close: CancellationToken,
) {
    // Cancel-safe: of a session that is closed on purpose the round that was taken over last may be missing.
    while let Some(Some(frames)) = close.run_until_cancelled(rounds.recv()).await {
        for frame in frames {
            let signed = match shared.connector.signed_frame(&url, &frame).await {
                Ok(signed) => signed,
                Err(error) => {
                    debug!(error = %ErrorChain(&error), "a telemetry frame cannot be signed; it is left out");
                    continue;
                }
            };
            let sent = timeout(WRITE_LIMIT, socket.send(signed)).await;
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
    }
    drop(rounds);
    let _late = timeout(WRITE_LIMIT, socket.close()).await;
    // The reader hears when the other side has closed too.
    std::future::pending::<()>().await;
}
