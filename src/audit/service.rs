//! The queue between requests and the file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::line::{Context, Lines};
use crate::boundary::credentials::{AuditEntry, AuditLog};
use crate::platform::rotating::{FileConfig, Rotating};

/// Entries that may wait: a third of a second at 25,000 requests a second, 300 bytes each.
const CAPACITY: usize = 8192;

/// Entries written at once.
const BATCH: usize = 1024;

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditConfig {
    /// Where to; `None` = the record is not kept.
    pub file: Option<FileConfig>,
    /// What is the same in every line.
    pub context: Context,
}

/// Builds the service and its handle.
pub fn service(config: AuditConfig) -> (AuditService, AuditHandle) {
    let (entries, inbox) = mpsc::channel(CAPACITY);
    let dropped = Arc::new(AtomicU64::new(0));
    let handle = AuditHandle {
        entries: config.file.is_some().then_some(entries),
        dropped: Arc::clone(&dropped),
    };
    let service = AuditService {
        inbox,
        dropped,
        told: 0,
        lines: Lines::new(config.context),
        file: config.file.map(Rotating::new),
        failing: false,
    };
    (service, handle)
}

/// Cheap to clone; the only way in.
#[derive(Clone, Debug)]
pub struct AuditHandle {
    entries: Option<mpsc::Sender<AuditEntry>>,
    dropped: Arc<AtomicU64>,
}

impl AuditHandle {
    /// Entries that are in no file, since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl AuditLog for AuditHandle {
    fn record(&self, entry: AuditEntry) {
        let Some(entries) = &self.entries else {
            return;
        };
        if entries.try_send(entry).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Owns the file.
#[derive(Debug)]
pub struct AuditService {
    inbox: mpsc::Receiver<AuditEntry>,
    dropped: Arc<AtomicU64>,
    /// How many drops have been told.
    told: u64,
    lines: Lines,
    file: Option<Rotating>,
    failing: bool,
}

impl AuditService {
    /// Writes until `shutdown`, and then what waits.
    pub async fn run(mut self, shutdown: CancellationToken) {
        if self.file.is_none() {
            shutdown.cancelled().await;
            return;
        }
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            // `recv_many` is cancel-safe by its documentation; cancellation is a state.
            let stop = tokio::select! {
                // Nothing comes any more once every handle is gone.
                count = self.inbox.recv_many(&mut batch, BATCH), if !self.inbox.is_closed() => count == 0,
                () = shutdown.cancelled() => true,
            };
            if stop {
                self.inbox.close();
                while self.inbox.recv_many(&mut batch, BATCH).await > 0 {
                    self = self.write(&mut batch).await;
                }
                return;
            }
            self = self.write(&mut batch).await;
        }
    }

    /// Writes the batch on a thread that may wait for the disk.
    async fn write(mut self, batch: &mut Vec<AuditEntry>) -> Self {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let mut text = String::with_capacity(batch.len().saturating_mul(256));
        for entry in batch.drain(..) {
            self.lines.write(&mut text, &entry);
        }
        let Some(mut file) = self.file.take() else {
            return self;
        };
        let written = tokio::task::spawn_blocking(move || {
            let result = file.append(&text);
            (file, result)
        });
        match written.await {
            Ok((file, result)) => {
                self.file = Some(file);
                self.tell(count, result);
            }
            Err(error) => {
                warn!(event = "audit-failing", %error, "the writer of the audit log broke; no more is recorded");
            }
        }
        self
    }

    fn tell(&mut self, count: u64, result: std::io::Result<()>) {
        match result {
            Ok(()) if self.failing => {
                self.failing = false;
                info!(event = "audit-recovered", "the audit log is written again");
            }
            Ok(()) => {}
            Err(error) => {
                self.dropped.fetch_add(count, Ordering::Relaxed);
                if !self.failing {
                    warn!(event = "audit-failing", %error, "the audit log cannot be written; requests are answered all the same");
                }
                self.failing = true;
                return;
            }
        }
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > self.told {
            let lost = dropped.saturating_sub(self.told);
            warn!(
                event = "audit-dropped",
                lost, "requests are missing in the audit log: there were too many at once"
            );
            self.told = dropped;
        }
    }
}
