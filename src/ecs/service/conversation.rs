//! The conversation with ACS: opens sessions when the link says so, hands frames to the session, does what it asks.
//!
//! **Invariants.** The loop waits for frames, jobs and times only: jobs and writing are done beside it, so a heartbeat
//! is answered while a payload is worked on. Jobs outlive the session that they came by.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::agent::Shared;
use super::facts::SnapshotTasks;
use super::jobs;
use super::registrar::{SEQUENCE, store_facts};
use super::session::{self, Opened, Peer, Trouble, TroubleKind, WRITE_LIMIT};
use crate::ecs::acs::timers::ACS;
use crate::ecs::acs::{Effect, JobId, Note, Session, encode};
use crate::ecs::connect::{Socket, SocketReader, SocketWriter};
use crate::ecs::link::{Action, Event, How, Link};
use crate::ecs::report::Rejections;

/// Answers that may wait to be written: those to a payload of 1,000 tasks with two roles each.
const OUTGOING: usize = 4096;

enum Outgoing {
    Text(String),
    Close,
}

/// An open session.
struct Open {
    reader: SocketReader,
    outgoing: mpsc::Sender<Outgoing>,
    /// The writer; ended with the session.
    writer: JoinSet<()>,
}

enum Beside {
    Opened(Result<Opened, Trouble>),
    Done(JobId, bool),
    Reported,
}

enum Turn {
    Frame(Result<String, How>),
    WriterEnded,
    Beside(Beside),
    Broke(tokio::task::Id),
    Due,
    Stop,
}

/// The loop.
pub(super) struct Conversation {
    shared: Arc<Shared>,
    rejections: Rejections,
    instance: String,
    link: Link,
    session: Session,
    open: Option<Open>,
    beside: JoinSet<Beside>,
    /// Which of those do a job of the session.
    jobs: HashMap<tokio::task::Id, JobId>,
    /// Until the first session of this process is open, ACS is asked for all credentials.
    wants_credentials: bool,
}

impl Conversation {
    /// Goes on from the number of the last manifest.
    pub(super) async fn begin(
        shared: Arc<Shared>,
        rejections: Rejections,
        instance: String,
    ) -> Self {
        // Without it an old manifest would count as a new one.
        let facts = store_facts(&shared.store).await;
        let sequence = facts.get(SEQUENCE).and_then(|text| text.parse().ok());
        Self {
            link: Link::new(ACS, Instant::now().into_std()),
            session: Session::new(sequence),
            shared,
            rejections,
            instance,
            open: None,
            beside: JoinSet::new(),
            jobs: HashMap::new(),
            wants_credentials: true,
        }
    }

    /// Runs until `shutdown`.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            match self.turn(&shutdown).await {
                Turn::Stop => break,
                Turn::Frame(Ok(text)) => self.take_frame(&text),
                Turn::Frame(Err(how)) => self.ended(how),
                Turn::WriterEnded => self.ended(How::Broken),
                Turn::Beside(Beside::Opened(Ok(opened))) => self.opened(opened.socket),
                Turn::Beside(Beside::Opened(Err(trouble))) => self.refused(&trouble),
                Turn::Beside(Beside::Done(job, durable)) => self.done(job, durable),
                Turn::Beside(Beside::Reported) => {}
                Turn::Broke(task) => self.broke(task),
                Turn::Due => self.tick(),
            }
        }
        self.shared.status.closed();
        self.beside.shutdown().await;
    }

    async fn turn(&mut self, shutdown: &CancellationToken) -> Turn {
        let wake = self.link.next().map(Instant::from_std);
        let sleep = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now));
        // Each arm is cancel-safe: the reader, the token and join sets by their documentation, the sleep because it
        // is made anew.
        tokio::select! {
            () = shutdown.cancelled() => Turn::Stop,
            turn = heard(self.open.as_mut()) => turn,
            Some(beside) = self.beside.join_next_with_id() => match beside {
                Ok((task, beside)) => {
                    self.jobs.remove(&task);
                    Turn::Beside(beside)
                }
                Err(error) => Turn::Broke(error.id()),
            },
            () = sleep, if wake.is_some() => Turn::Due,
        }
    }

    fn on(&mut self, event: Event) -> Option<Action> {
        self.link
            .on(event, Instant::now().into_std(), self.shared.chance())
    }

    fn tick(&mut self) {
        match self.on(Event::Tick) {
            None => {}
            Some(Action::Connect) => self.connect(),
            Some(Action::Close) => self.say(Outgoing::Close),
            Some(Action::Drop) => {
                info!(
                    event = "acs-silent",
                    "the session with ACS is dropped: nothing was heard"
                );
                self.let_go();
            }
        }
    }

    fn connect(&mut self) {
        let (shared, instance) = (Arc::clone(&self.shared), self.instance.clone());
        let peer = Peer::Acs {
            send_credentials: self.wants_credentials,
        };
        self.beside
            .spawn(async move { Beside::Opened(session::open(&shared, &instance, peer).await) });
    }

    fn opened(&mut self, socket: Socket) {
        info!(event = "acs-open", "a session with ACS is open");
        self.wants_credentials = false;
        self.on(Event::Connected);
        let (outgoing, texts) = mpsc::channel(OUTGOING);
        let mut writer = JoinSet::new();
        writer.spawn(write(socket.writer, texts));
        self.open = Some(Open {
            reader: socket.reader,
            outgoing,
            writer,
        });
        self.shared.status.opened(self.shared.now());
    }

    fn refused(&mut self, trouble: &Trouble) {
        self.shared
            .tell(&trouble.words, "no session with ACS; trying again");
        if trouble.kind == TroubleKind::Inactive {
            self.shared.inactive.send_modify(|count| *count += 1);
        }
        self.on(trouble.event());
    }

    fn ended(&mut self, how: How) {
        info!(event = "acs-ended", how = ?how, "the session with ACS has ended");
        if how == How::Inactive {
            self.shared.inactive.send_modify(|count| *count += 1);
        }
        self.let_go();
        self.on(Event::Ended(how));
    }

    fn let_go(&mut self) {
        self.open = None;
        self.shared.status.closed();
    }

    /// A step beside the loop panicked: opening a session ends as a refusal, a job as one that is not durable.
    fn broke(&mut self, task: tokio::task::Id) {
        warn!(
            event = "acs-step-panicked",
            "a step of the conversation with ACS failed unexpectedly"
        );
        if let Some(job) = self.jobs.remove(&task) {
            self.done(job, false);
            return;
        }
        if self.open.is_none() && self.link.next().is_none() {
            self.on(Event::Refused { inactive: false });
        }
    }

    fn done(&mut self, job: JobId, durable: bool) {
        let snapshot = self.shared.engine.snapshot();
        let effects = self.session.done(job, durable, &SnapshotTasks(&snapshot));
        self.carry_out(effects);
    }

    fn take_frame(&mut self, text: &str) {
        let snapshot = self.shared.engine.snapshot();
        let (alive, effects) = self.session.on_frame(text, &SnapshotTasks(&snapshot));
        if alive {
            self.on(Event::Heard);
            self.shared.status.heard(self.shared.now());
        }
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(message) => self.say(Outgoing::Text(encode(&message))),
                Effect::Do(id, job) => {
                    let (shared, rejections) = (Arc::clone(&self.shared), self.rejections.clone());
                    let begun = self.beside.spawn(async move {
                        let durable = jobs::run(shared, rejections, job).await;
                        Beside::Done(id, durable)
                    });
                    self.jobs.insert(begun.id(), id);
                }
                Effect::Reject(task, reason) => {
                    let rejections = self.rejections.clone();
                    self.beside.spawn(async move {
                        rejections.stopped(task, &reason).await;
                        Beside::Reported
                    });
                }
                Effect::CheckHealth => {
                    self.shared.forget_credentials();
                    self.shared.heartbeats.send_modify(|count| *count += 1);
                }
                Effect::Note(note) => tell(&note),
            }
        }
    }

    /// An answer that cannot be written is not missed: ACS sends what it answers again.
    fn say(&mut self, what: Outgoing) {
        if let Some(open) = &self.open
            && open.outgoing.try_send(what).is_err()
        {
            warn!(
                event = "acs-answer-left-out",
                "too many answers wait to be written to ACS; one is left out"
            );
        }
    }
}

async fn heard(open: Option<&mut Open>) -> Turn {
    let Some(open) = open else {
        return std::future::pending().await;
    };
    // Cancel-safe as its arms are.
    tokio::select! {
        frame = open.reader.next() => Turn::Frame(frame),
        _ = open.writer.join_next() => Turn::WriterEnded,
    }
}

async fn write(mut socket: SocketWriter, mut texts: mpsc::Receiver<Outgoing>) {
    while let Some(next) = texts.recv().await {
        let written = async {
            match next {
                Outgoing::Text(text) => socket.send(text).await,
                Outgoing::Close => socket.close().await,
            }
        };
        if !matches!(tokio::time::timeout(WRITE_LIMIT, written).await, Ok(Ok(()))) {
            return;
        }
    }
}

fn tell(note: &Note) {
    match note {
        Note::Dropped(why) => warn!(
            event = "acs-frame-passed-over",
            why, "a frame of ACS is passed over"
        ),
        Note::Unanswered(kind, why) => debug!(kind, why, "a message of ACS gets no answer"),
        Note::KnownUnreadable(arn, why) => warn!(
            event = "payload-task-unreadable",
            task.arn = %arn, why, "a task that is here is sent again in a form that cannot be read; it goes on as it was first asked for"
        ),
        Note::NotAttached(kind, wait) => warn!(
            event = "attachment-not-made",
            kind,
            wait_seconds = wait.as_secs(),
            "ECS announces an attachment, and this version makes none"
        ),
        Note::Exception(name, text) => {
            warn!(event = "acs-problem", name, text, "ACS reports a problem");
        }
    }
}
