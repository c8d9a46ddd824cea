//! Brings to the disk within a second what was committed without waiting for it, so that power loss takes no more.
//!
//! The log alone is flushed: a checkpoint would also begin it anew, and the first commit after that waits for the disk
//! whatever was asked of it. SQLite takes its locks on other files, so one more handle on this one loses none.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Longest time that what was told is not on the disk.
const WITHIN: Duration = Duration::from_secs(1);

/// What the store and the component share.
#[derive(Debug)]
pub(super) struct Unflushed {
    pending: AtomicBool,
    news: Notify,
    log: PathBuf,
}

impl Unflushed {
    /// Of that log. What an earlier process has not flushed is pending.
    pub(super) fn new(log: PathBuf) -> Self {
        Self {
            pending: AtomicBool::new(true),
            news: Notify::new(),
            log,
        }
    }

    /// A commit did not wait for the disk, or may not have.
    pub(super) fn add(&self) {
        if !self.pending.swap(true, Ordering::Relaxed) {
            self.news.notify_one();
        }
    }

    /// Brings the whole log to the disk.
    pub(super) async fn flush(&self) -> io::Result<()> {
        let log = self.log.clone();
        let flushed = tokio::task::spawn_blocking(move || flush(&log)).await;
        flushed.unwrap_or_else(|ended| Err(io::Error::other(ended)))
    }

    /// Until such a commit is that old. Cancel-safe: it is pending until the end.
    async fn due(&self) {
        while !self.pending.load(Ordering::Relaxed) {
            self.news.notified().await;
        }
        tokio::time::sleep(WITHIN).await;
        // Whatever comes from here on waits for the next flush.
        self.pending.store(false, Ordering::Relaxed);
    }
}

/// The component. Without it the system flushes when it likes, within half a minute as a rule.
pub struct Flushes(pub(super) Arc<Unflushed>);

impl Flushes {
    /// Runs until `stop`. A flush that fails is tried again and not told: commits that wait for the disk tell it.
    pub async fn run(self, stop: CancellationToken) {
        let work = async {
            loop {
                self.0.due().await;
                if let Err(error) = self.0.flush().await {
                    debug!(%error, "the write-ahead log cannot be flushed");
                    self.0.add();
                }
            }
        };
        // Cancel-safe: what is not flushed is so until the next start.
        let _stopped: Option<()> = stop.run_until_cancelled(work).await;
    }
}

/// For writing, since Windows flushes no other handle. No log is one with nothing in it.
fn flush(log: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(log) {
        Ok(file) => file.sync_data(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_commits_are_flushed_at_once_and_a_second_after_the_first() {
        let unflushed = Unflushed::new(PathBuf::new());
        // What an earlier process has left.
        unflushed.due().await;
        let mut due = pin!(unflushed.due());
        let waits = tokio::time::timeout(Duration::from_mins(1), due.as_mut()).await;
        assert!(waits.is_err(), "nothing to flush");
        unflushed.add();
        let early = tokio::time::timeout(WITHIN / 2, due.as_mut()).await;
        assert!(early.is_err(), "more may come");
        unflushed.add();
        let (began, half) = (tokio::time::Instant::now(), WITHIN / 2);
        due.await;
        assert_eq!(began.elapsed(), half);
        let again = tokio::time::timeout(Duration::from_mins(1), unflushed.due()).await;
        assert!(again.is_err(), "both were flushed");
    }
}
