//! The event stream: what the log holds after a place, then what comes.
//!
//! ```text
//! CatchingUp --(log is read)--> Live        if it follows
//!     |                          |
//!     +--------------------------+--> Ended  complete; or with a last item that says why it is not
//! ```
//!
//! **Invariants.** Events come in the order of their sequence, without gap and without repetition: the reader
//! subscribes before it reads the log and skips what it has sent. Memory is one page and the engine's channel; who
//! lags behind that is sent away with the place to go on from.

use std::collections::{BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::read::page;
use super::wire::{EndReason, EventRecord, StreamEnd, StreamItem};
use crate::boundary::TaskStore;
use crate::boundary::store::StoredEvent;
use crate::domain::ids::{ContainerName, TaskArn};
use crate::domain::task::TaskEvent;
use crate::error::ErrorChain;

/// Silence after which a heartbeat is sent, so that both sides notice a dead one.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Which events.
    pub(super) only: Only,
    /// Where to begin.
    pub(super) after: After,
    /// Go on with what comes.
    pub(super) follow: bool,
    /// At most so many.
    pub(super) limit: Option<u32>,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Only {
    /// Of this task; `None` = of all.
    pub(super) task: Option<TaskArn>,
    /// About this container; `None` = about all, and about tasks themselves.
    pub(super) container: Option<String>,
    /// Of these kinds; empty = of all.
    pub(super) kinds: BTreeSet<String>,
}

impl Only {
    fn takes(&self, event: &TaskEvent) -> bool {
        let container = event.container.as_ref().map(ContainerName::as_str);
        self.task.as_ref().is_none_or(|task| *task == event.arn)
            && (self.container.is_none() || self.container.as_deref() == container)
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
    }
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// After this place of the log.
    Sequence(i64),
    /// After what is known now, which holds the log up to this place.
    Snapshot(i64),
}

/// State of one reader.
pub(super) struct Reader {
    store: Arc<dyn TaskStore>,
    live: Receiver<StoredEvent>,
    shutdown: CancellationToken,
    wanted: Wanted,
    phase: Phase,
    /// Tasks and the place they stand for, told before anything else.
    snapshot: VecDeque<StreamItem>,
    page: VecDeque<StoredEvent>,
    cursor: i64,
    sent: u32,
    _place: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    CatchingUp,
    Live,
    Ended,
}

enum Heard {
    Event(StoredEvent),
    Missed(u64),
    Silence,
    Shutdown,
}

impl Reader {
    /// A reader that holds its place until it is dropped. `live` was subscribed to before anything was read, the
    /// snapshot included.
    pub(super) fn new(
        store: Arc<dyn TaskStore>,
        live: Receiver<StoredEvent>,
        shutdown: CancellationToken,
        wanted: Wanted,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let (phase, cursor) = match wanted.after {
            After::Sequence(sequence) => (Phase::CatchingUp, sequence),
            After::Snapshot(sequence) if wanted.follow => (Phase::Live, sequence),
            After::Snapshot(sequence) => (Phase::Ended, sequence),
        };
        Self {
            store,
            live,
            shutdown,
            wanted,
            phase,
            snapshot: VecDeque::new(),
            page: VecDeque::new(),
            cursor,
            sent: 0,
            _place: place,
        }
    }

    /// The same, with these items first.
    pub(super) fn telling(mut self, snapshot: Vec<StreamItem>) -> Self {
        self.snapshot = snapshot.into();
        self
    }

    /// The items, one at a time as they are asked for.
    pub(super) fn into_stream(self) -> Pin<Box<dyn Stream<Item = StreamItem> + Send>> {
        Box::pin(futures_util::stream::unfold(self, |mut reader| async {
            let item = reader.next().await?;
            Some((item, reader))
        }))
    }

    async fn next(&mut self) -> Option<StreamItem> {
        if let Some(item) = self.snapshot.pop_front() {
            return Some(item);
        }
        // Silence is what the reader gets to hear: events that are not wanted do not end it.
        let silent_at = Instant::now() + HEARTBEAT;
        loop {
            if self.phase != Phase::Ended && self.wanted.limit == Some(self.sent) {
                let message = "as many as asked for; there may be more";
                return Some(self.end(EndReason::Limit, message));
            }
            let item = match self.phase {
                Phase::CatchingUp => self.next_of_log().await,
                Phase::Live => self.next_live(silent_at).await,
                Phase::Ended => return None,
            };
            if item.is_some() {
                return item;
            }
        }
    }

    async fn next_of_log(&mut self) -> Option<StreamItem> {
        if let Some(event) = self.page.pop_front() {
            if self.wanted.only.takes(&event.event) {
                return Some(self.event(&event));
            }
            self.cursor = event.sequence;
            return None;
        }
        let task = self.wanted.only.task.as_ref();
        match page(self.store.as_ref(), task, self.cursor).await {
            Ok(events) if events.is_empty() => {
                self.phase = if self.wanted.follow {
                    Phase::Live
                } else {
                    Phase::Ended
                };
                None
            }
            Ok(events) => {
                self.page = events.into();
                None
            }
            Err(error) => {
                tracing::error!(event = "event-log-unreadable", error = %ErrorChain(&error), "an event stream ends: the log cannot be read");
                Some(self.end(
                    EndReason::StoreUnavailable,
                    "the event log cannot be read now",
                ))
            }
        }
    }

    async fn next_live(&mut self, silent_at: Instant) -> Option<StreamItem> {
        match self.hear(silent_at).await {
            Heard::Event(event) if event.sequence <= self.cursor => None,
            Heard::Event(event) if self.wanted.only.takes(&event.event) => Some(self.event(&event)),
            Heard::Event(event) => {
                self.cursor = event.sequence;
                None
            }
            Heard::Silence => Some(StreamItem::Heartbeat),
            Heard::Missed(count) => {
                let message = format!("{count} events came faster than they were read");
                Some(self.end(EndReason::TooSlow, message))
            }
            Heard::Shutdown => {
                Some(self.end(EndReason::ShuttingDown, "the agent is shutting down"))
            }
        }
    }

    async fn hear(&mut self, silent_at: Instant) -> Heard {
        tokio::select! {
            // A broadcast receiver loses nothing when its `recv` is dropped.
            heard = self.live.recv() => match heard {
                Ok(event) => Heard::Event(event),
                Err(RecvError::Lagged(count)) => Heard::Missed(count),
                Err(RecvError::Closed) => Heard::Shutdown,
            },
            // A sleep holds no state.
            () = tokio::time::sleep_until(silent_at) => Heard::Silence,
            // Cancellation is a state, not an event.
            () = self.shutdown.cancelled() => Heard::Shutdown,
        }
    }

    fn event(&mut self, event: &StoredEvent) -> StreamItem {
        self.cursor = event.sequence;
        self.sent = self.sent.saturating_add(1);
        StreamItem::Event(EventRecord::from(event))
    }

    fn end(&mut self, reason: EndReason, message: impl Into<String>) -> StreamItem {
        self.phase = Phase::Ended;
        StreamItem::End(StreamEnd {
            reason,
            message: message.into(),
            resume_after: self.cursor,
        })
    }
}
