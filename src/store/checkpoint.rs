//! Moves the write-ahead log into the database beside the commits, so that none of them waits for it: a thousand pages
//! and a flush of the database would be ten times the work of a commit, and a task on its way would bear it.
//!
//! SQLite's own checkpoint, in the commit that finds the log long, is left for a log that has grown all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::error::ErrorChain;

/// Commits between two checkpoints: about the 1000 pages after which SQLite does one by itself.
const COMMITS: u32 = 100;

/// No commit for so long is a pause of them.
const PAUSE: Duration = Duration::from_millis(100);

/// Longest wait for a pause: the log grows meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What the store tells the component.
#[derive(Debug, Default)]
pub(super) struct Commits {
    since_checkpoint: AtomicU32,
    made: Notify,
}

impl Commits {
    /// One more is durable.
    pub(super) fn count(&self) {
        self.since_checkpoint.fetch_add(1, Ordering::Relaxed);
        self.made.notify_one();
    }

    /// Until so many were made that the log is long, and then none for a while. Cancel-safe: nothing is taken before
    /// the end.
    async fn pause_after_many(&self) {
        while self.since_checkpoint.load(Ordering::Relaxed) < COMMITS {
            self.made.notified().await;
        }
        let give_up = Instant::now() + LONGEST_WAIT;
        let pause = async { while timeout(PAUSE, self.made.notified()).await.is_ok() {} };
        // Either way it is time.
        let _paused = timeout_at(give_up, pause).await;
        self.since_checkpoint.store(0, Ordering::Relaxed);
    }
}

/// The component. Without it the log grows until SQLite moves it in a commit.
pub struct Checkpoints {
    commits: Arc<Commits>,
    options: SqliteConnectOptions,
}

impl Checkpoints {
    pub(super) fn new(commits: Arc<Commits>, options: SqliteConnectOptions) -> Self {
        Self { commits, options }
    }

    /// Runs until `stop`. A checkpoint that fails is tried again after the next commits.
    pub async fn run(self, stop: CancellationToken) {
        let mut failing = None;
        let due = || stop.run_until_cancelled(self.commits.pause_after_many());
        while due().await.is_some() {
            let failure = self.checkpoint().await.err();
            let failure = failure.map(|error| ErrorChain(&error).to_string());
            if let Some(error) = failure.as_ref().filter(|_| failure != failing) {
                warn!(
                    event = "checkpoint-failing",
                    error,
                    "the write-ahead log cannot be moved into the database; it grows, and is tried again"
                );
            }
            failing = failure;
        }
    }

    /// On a connection of its own: kept, it would be a thread and a cache for a call every hundred commits.
    async fn checkpoint(&self) -> sqlx::Result<()> {
        let mut connection = self.options.connect().await?;
        let (busy, log, moved): (bool, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)")
            .fetch_one(&mut connection)
            .await?;
        debug!(busy, log, moved, "write-ahead log moved into the database");
        connection.close().await
    }
}
