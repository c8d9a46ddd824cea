//! The queue between requests and the file.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::line::Lines;
use super::repeats::Repeats;
use crate::boundary::credentials::{AuditEntry, AuditLog};
use crate::platform::rotating::{FileConfig, Rotating};

/// Entries that may wait: a third of a second at 25,000 requests a second, 300 bytes each.
const CAPACITY: usize = 8192;

/// Entries written at once.
const BATCH: usize = 1024;

/// After that, requests that were only counted are written as their number.
const SPAN: Duration = Duration::from_secs(10);

/// Tells the ARN of the container instance, if this host has one by now.
pub type Instance = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditConfig {
    /// Where to; `None` = the record is not kept.
    pub file: Option<FileConfig>,
    /// Cluster name.
    pub cluster: String,
}

/// Builds the service and its handle.
pub fn service(config: AuditConfig, instance: Instance) -> (AuditService, AuditHandle) {
    let (entries, inbox) = mpsc::channel(CAPACITY);
    let dropped = Arc::new(AtomicU64::new(0));
    let repeats = Arc::new(Mutex::default());
    let handle = AuditHandle {
        entries: config.file.is_some().then_some(entries),
        dropped: Arc::clone(&dropped),
        repeats: Arc::clone(&repeats),
    };
    let service = AuditService {
        inbox,
        dropped,
        repeats,
        told: 0,
        lines: Lines::new(config.cluster),
        instance,
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
    repeats: Arc<Mutex<Repeats>>,
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
        // Counted before the queue, which has room then for what is written.
        if !entries.is_closed() && !of_span(&self.repeats).admit(&entry) {
            return;
        }
        if entries.try_send(entry).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn of_span(repeats: &Mutex<Repeats>) -> std::sync::MutexGuard<'_, Repeats> {
    repeats.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the service wakes for.
enum Woken {
    /// So many entries are in the batch.
    Entries(usize),
    /// A span is over.
    Span,
    /// The agent ends.
    End,
}

/// Owns the file.
pub struct AuditService {
    inbox: mpsc::Receiver<AuditEntry>,
    dropped: Arc<AtomicU64>,
    repeats: Arc<Mutex<Repeats>>,
    instance: Instance,
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
        let mut spans = interval(SPAN);
        spans.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Cancel-safe by their documentation; cancellation is a state.
            let woken = tokio::select! {
                // Nothing comes any more once every handle is gone.
                count = self.inbox.recv_many(&mut batch, BATCH), if !self.inbox.is_closed() => Woken::Entries(count),
                _ = spans.tick() => Woken::Span,
                () = shutdown.cancelled() => Woken::End,
            };
            match woken {
                Woken::Entries(1..) => {}
                Woken::Span => batch.append(&mut of_span(&self.repeats).close()),
                Woken::Entries(0) | Woken::End => {
                    self.inbox.close();
                    while self.inbox.recv_many(&mut batch, BATCH).await > 0 {
                        self = self.write(&mut batch).await;
                    }
                    batch.append(&mut of_span(&self.repeats).close());
                    self.write(&mut batch).await;
                    return;
                }
            }
            self = self.write(&mut batch).await;
        }
    }

    /// Writes the batch on a thread that may wait for the disk.
    async fn write(mut self, batch: &mut Vec<AuditEntry>) -> Self {
        if batch.is_empty() {
            return self;
        }
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.lines.set_instance((self.instance)());
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
