//! Watching the runtime: events are hints, the full list is the truth, and neither carries a decision.
//!
//! The watcher connects, opens the event stream before it lists, lists at the pace the worker asks for, beside the
//! events, and starts over with back-off when the stream ends. It tells the worker when Docker does not answer; that is no observation
//! of any container.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::boundary::runtime::EventStream;
use crate::boundary::store::StoredEvent;
use crate::boundary::{ContainerRuntime, ErrorKind};
use crate::domain::runtime::{ListedContainer, RuntimeEvent, RuntimeInfo};
use crate::error::ErrorChain;

/// News for the worker: events of a burst of 1,000 containers, four each.
pub const NEWS_CAPACITY: usize = 4096;

/// First and longest wait before Docker is tried again.
const RECONNECT: super::backoff::Backoff = super::backoff::Backoff {
    first: Duration::from_millis(200),
    cap: Duration::from_secs(2),
};

/// Shortest time between a list and one that the worker asks for: an engine that lists but refuses other calls must
/// not be asked in a loop.
const NUDGE_GAP: Duration = Duration::from_millis(200);

/// What the watcher has to say.
#[derive(Debug)]
pub enum News {
    /// Docker answers (again).
    Up(Box<RuntimeInfo>),
    /// Docker does not answer.
    Down(String),
    /// Docker answers, but not with a full list.
    ListFailed(String),
    /// A full list that began at that instant.
    Listed {
        /// When it was asked for, by the clock that nobody sets.
        began: Instant,
        /// What it shows.
        containers: Vec<ListedContainer>,
    },
    /// One event.
    Event(RuntimeEvent),
    /// The ends of all timelines as they were at start, or why they cannot be read.
    Recalled(Result<Vec<StoredEvent>, String>),
}

/// Where the watcher looks and whom it tells.
pub struct Watcher {
    /// Docker.
    pub runtime: Arc<dyn ContainerRuntime>,
    /// To the worker.
    pub news: mpsc::Sender<News>,
    /// How often to list, set by the worker.
    pub pace: watch::Receiver<Duration>,
    /// The worker wants a list now.
    pub nudge: Arc<Notify>,
}

enum Turn {
    Event(Option<RuntimeEvent>),
    Listed(Option<Result<News, JoinError>>),
    List,
    Nudge,
    Pace,
    End,
}

impl Watcher {
    /// Runs until told to end, or until the worker is gone.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut failures = 0_u32;
        while !shutdown.is_cancelled() {
            match self.connect().await {
                Ok(stream) => {
                    failures = 0;
                    if self.watch(stream, &shutdown).await.is_none() {
                        return;
                    }
                }
                Err(why) => {
                    failures = failures.saturating_add(1);
                    if self.news.send(News::Down(why)).await.is_err() {
                        return;
                    }
                }
            }
            let wait = RECONNECT.after(failures.max(1));
            let _ended = shutdown.run_until_cancelled(tokio::time::sleep(wait)).await;
        }
    }

    async fn connect(&mut self) -> Result<EventStream, String> {
        let info = self
            .runtime
            .info()
            .await
            .map_err(|error| ErrorChain(&error).to_string())?;
        let stream = self
            .runtime
            .events()
            .await
            .map_err(|error| ErrorChain(&error).to_string())?;
        // Nothing to do about a worker that is gone; the next send ends the watcher.
        let _gone = self.news.send(News::Up(Box::new(info))).await;
        Ok(stream)
    }

    /// Until the stream ends (`Some`) or nobody listens any more (`None`).
    async fn watch(&mut self, mut stream: EventStream, shutdown: &CancellationToken) -> Option<()> {
        let mut due = Instant::now();
        let mut listed_at = None;
        // At most one list. It goes with this function.
        let mut listing: JoinSet<News> = JoinSet::new();
        loop {
            // Each arm is cancel-safe: stream and set give whole items, the others hold no state.
            // In order, so that a seed gives the same run; events come last, since there may be no end of them.
            let turn = tokio::select! {
                biased;
                () = shutdown.cancelled() => Turn::End,
                listed = listing.join_next(), if !listing.is_empty() => Turn::Listed(listed),
                () = sleep_until(due), if listing.is_empty() => Turn::List,
                () = self.nudge.notified() => Turn::Nudge,
                changed = self.pace.changed() => if changed.is_ok() { Turn::Pace } else { Turn::End },
                item = stream.next() => Turn::Event(item.and_then(Result::ok)),
            };
            match turn {
                Turn::End => return None,
                Turn::Event(Some(event)) => self.news.send(News::Event(event)).await.ok()?,
                Turn::Event(None) => return Some(()),
                Turn::List => drop(listing.spawn(list(Arc::clone(&self.runtime)))),
                Turn::Listed(listed) => {
                    let panicked = || News::ListFailed("the list panicked".to_owned());
                    let news = listed.and_then(Result::ok).unwrap_or_else(panicked);
                    self.news.send(news).await.ok()?;
                    listed_at = Some(Instant::now());
                    due = Instant::now() + *self.pace.borrow_and_update();
                }
                Turn::Nudge => {
                    let earliest = listed_at.map_or_else(Instant::now, |at| at + NUDGE_GAP);
                    due = due.min(earliest);
                }
                Turn::Pace => due = due.min(Instant::now() + *self.pace.borrow_and_update()),
            }
        }
    }
}

/// One full list. Where it is only the list that fails, containers can still be acted on.
async fn list(runtime: Arc<dyn ContainerRuntime>) -> News {
    let began = Instant::now();
    let error = match runtime.list().await {
        Ok(containers) => return News::Listed { began, containers },
        Err(error) => error,
    };
    let why = ErrorChain(&error).to_string();
    if error.kind == ErrorKind::Unavailable {
        return News::Down(why);
    }
    match runtime.info().await {
        Ok(_) => News::ListFailed(why),
        Err(error) => News::Down(ErrorChain(&error).to_string()),
    }
}
