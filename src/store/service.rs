//! The store's promises to the engine, kept with the tables of the other files.
//!
//! **Invariants.** Every write is one transaction that begins with `BEGIN IMMEDIATE` on the one writing connection,
//! and nothing but that connection is waited for while it is open. It is new with `synchronous=FULL`, so one that is
//! opened again flushes whatever was asked of the last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePool;
use sqlx::{Connection as _, Sqlite, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use super::checkpoint::Commits;
use super::checksum::Checksums;
use super::error::boundary;
use super::flush::Unflushed;
use super::load::Bad;
use super::open::Database;
use super::rows::NewEventRow;
use super::{desired, draining, events, images, instance, known, load};
use crate::boundary::store::{Change, Damage, Loaded, StoredEvent};
use crate::boundary::{BoundaryError, Clock, InstanceStore, TaskStore};
use crate::domain::ids::TaskArn;

/// Longest that one call waits for the disk. A commit that takes longer may still come about.
const CALL_LIMIT: Duration = Duration::from_mins(1);

const COMMIT: &str = "write to the database";
const FLUSH: &str = "flush the database";
const LOAD: &str = "read the database";
const EVENTS: &str = "read events from the database";

/// The store in `berth.db`.
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    checksums: Checksums,
    clock: Arc<dyn Clock>,
    /// Held for the length of a transaction, so they queue here.
    writing: Mutex<Writing>,
    commits: Arc<Commits>,
    unflushed: Arc<Unflushed>,
}

/// What is known of the one writing connection and of what it has written; of what was cut off nothing is.
#[derive(Default)]
struct Writing {
    /// Number of stored events.
    event_count: Option<i64>,
    /// How it commits.
    flush: Option<Flush>,
}

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    Now,
    /// With the next that does, with a checkpoint, or when the system does.
    Later,
}

impl Flush {
    /// Such a pragma acts when it is compiled, so it must not be kept as a prepared statement.
    async fn set(self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        let statement = match self {
            Self::Now => "PRAGMA synchronous = FULL",
            Self::Later => "PRAGMA synchronous = NORMAL",
        };
        let pragma = sqlx::query(statement).persistent(false);
        pragma.execute(connection).await.map(drop)
    }
}

impl SqliteStore {
    pub(super) fn new(
        database: Database,
        clock: Arc<dyn Clock>,
        (commits, unflushed): (Arc<Commits>, Arc<Unflushed>),
    ) -> Self {
        Self {
            writer: database.writer,
            readers: database.readers,
            checksums: database.checksums,
            clock,
            writing: Mutex::default(),
            commits,
            unflushed,
        }
    }

    /// Lets the file grow no further than that many pages, for as long as the present connection is used.
    #[cfg(test)]
    pub(super) async fn limit_pages(&self, pages: u32) {
        let statement = format!("PRAGMA max_page_count = {pages}");
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(&self.writer)
            .await
            .unwrap();
    }

    /// How the writing connection commits at present.
    #[cfg(test)]
    pub(super) async fn synchronous(&self) -> i64 {
        let pragma = sqlx::query_scalar("PRAGMA synchronous").persistent(false);
        pragma.fetch_one(&self.writer).await.unwrap()
    }

    async fn write(&self, changes: &[Change], flush: Flush) -> sqlx::Result<i64> {
        let mut writing = self.writing.lock().await;
        // If this is dropped or fails on the way, the next one counts and sets it.
        let Writing {
            event_count: counted,
            flush: present,
        } = std::mem::take(&mut *writing);
        let mut connection = self.writer.acquire().await?;
        let write = async {
            if present != Some(flush) {
                flush.set(&mut connection).await?;
            }
            transact(&mut connection, changes, self.checksums, counted).await
        };
        match write.await {
            Ok(written) => {
                *writing = Writing {
                    event_count: Some(written.event_count),
                    flush: Some(flush),
                };
                self.commits.count();
                Ok(written.last_sequence)
            }
            Err(error) => {
                // A full disk may have ended the transaction behind sqlx's back, which would then never begin
                // another one on this connection. The pool opens a new one.
                connection.close_on_drop();
                Err(error)
            }
        }
    }

    /// The writing connection, for transactions that wait for the disk.
    async fn flushing(&self) -> sqlx::Result<(MutexGuard<'_, Writing>, PoolConnection<Sqlite>)> {
        let mut writing = self.writing.lock().await;
        let mut connection = self.writer.acquire().await?;
        if writing.flush.take() != Some(Flush::Now) {
            Flush::Now.set(&mut connection).await?;
        }
        writing.flush = Some(Flush::Now);
        Ok((writing, connection))
    }

    async fn read_all(&self) -> sqlx::Result<Loaded> {
        let (_writing, mut connection) = self.flushing().await?;
        let read = load::read(&mut connection, self.checksums).await?;
        let damage = if let Ok(damage) = self.set_aside(&mut connection, &read.bad).await {
            damage
        } else {
            // The good tasks count more; the bad ones are met again at the next start.
            connection.close_on_drop();
            load::left_in_place(&read.bad)
        };
        Ok(Loaded {
            tasks: read.tasks,
            images: read.images,
            draining: read.draining,
            damage,
        })
    }

    async fn set_aside(
        &self,
        connection: &mut SqliteConnection,
        bad: &[Bad],
    ) -> sqlx::Result<Vec<Damage>> {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let damage = load::set_aside(&mut transaction, bad, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(damage)
    }
}

#[async_trait]
impl TaskStore for SqliteStore {
    async fn load(&self) -> Result<Loaded, BoundaryError> {
        within(LOAD, self.read_all()).await
    }

    async fn commit(&self, changes: &[Change]) -> Result<i64, BoundaryError> {
        within(COMMIT, self.write(changes, Flush::Now)).await
    }

    async fn commit_unflushed(&self, changes: &[Change]) -> Result<i64, BoundaryError> {
        // Noted before and after: a commit that is let go may still come about.
        self.unflushed.add();
        let committed = within(COMMIT, self.write(changes, Flush::Later)).await;
        self.unflushed.add();
        committed
    }

    async fn flush(&self) -> Result<(), BoundaryError> {
        let _writing = self.writing.lock().await;
        match timeout(CALL_LIMIT, self.unflushed.flush()).await {
            Ok(flushed) => flushed.map_err(|error| boundary(FLUSH, sqlx::Error::Io(error))),
            Err(_) => Err(BoundaryError::deadline(FLUSH, CALL_LIMIT)),
        }
    }

    async fn events_after(
        &self,
        task: Option<&TaskArn>,
        sequence: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, BoundaryError> {
        within(EVENTS, async {
            let mut connection = self.readers.acquire().await?;
            events::after(&mut connection, task, sequence, limit).await
        })
        .await
    }

    async fn events_gone_after(
        &self,
        task: Option<&TaskArn>,
        sequence: i64,
    ) -> Result<Option<i64>, BoundaryError> {
        within(EVENTS, async {
            let mut connection = self.readers.acquire().await?;
            events::gone_after(&mut connection, task, sequence).await
        })
        .await
    }

    async fn recent_events(&self, per_task: u32) -> Result<Vec<StoredEvent>, BoundaryError> {
        within(EVENTS, async {
            let mut connection = self.readers.acquire().await?;
            events::recent(&mut connection, per_task).await
        })
        .await
    }

    async fn close(&self) {
        self.readers.close().await;
        // The last connection to be closed writes the log into the database and removes it.
        self.writer.close().await;
    }
}

#[async_trait]
impl InstanceStore for SqliteStore {
    async fn facts(&self) -> Result<BTreeMap<String, String>, BoundaryError> {
        within(LOAD, async {
            let mut connection = self.readers.acquire().await?;
            instance::all(&mut connection).await
        })
        .await
    }

    async fn keep(&self, facts: &[(&str, &str)]) -> Result<(), BoundaryError> {
        within(COMMIT, async {
            let (_writing, mut connection) = self.flushing().await?;
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            for (key, value) in facts {
                instance::put(&mut transaction, key, value).await?;
            }
            transaction.commit().await
        })
        .await
    }
}

async fn within<T>(
    operation: &str,
    call: impl Future<Output = sqlx::Result<T>>,
) -> Result<T, BoundaryError> {
    match timeout(CALL_LIMIT, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(boundary(operation, error)),
        Err(_) => Err(BoundaryError::deadline(operation, CALL_LIMIT)),
    }
}

struct Written {
    last_sequence: i64,
    event_count: i64,
}

async fn transact(
    connection: &mut SqliteConnection,
    changes: &[Change],
    checksums: Checksums,
    event_count: Option<i64>,
) -> sqlx::Result<Written> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let event_count = match event_count {
        Some(counted) => counted,
        None => events::count(&mut transaction).await?,
    };
    let written = apply(&mut transaction, changes, checksums, event_count).await?;
    transaction.commit().await?;
    Ok(written)
}

async fn apply(
    connection: &mut SqliteConnection,
    changes: &[Change],
    checksums: Checksums,
    mut event_count: i64,
) -> sqlx::Result<Written> {
    let mut last_sequence = 0;
    // Entries stand alone, so only their own order counts.
    let told: Vec<NewEventRow<'_>> = changes.iter().filter_map(event_row).collect();
    if !told.is_empty() {
        let added = events::add(connection, &told).await?;
        last_sequence = added.sequence;
        event_count = event_count
            .saturating_add(i64::try_from(told.len()).unwrap_or(i64::MAX))
            .saturating_sub_unsigned(added.dropped);
    }
    for change in changes {
        match change {
            Change::Desired(task) => {
                let id = desired::table::put(connection, task, checksums).await?;
                known::table::ensure(connection, id, checksums).await?;
            }
            Change::Known(arn, task) => known::table::put(connection, arn, task, checksums).await?,
            Change::Forget(arn) => {
                if let Some(id) = desired::table::id(connection, arn.as_str()).await? {
                    desired::table::remove(connection, id).await?;
                }
            }
            Change::Image(image) => images::put(connection, image, checksums).await?,
            Change::ForgetImage(reference) => images::forget(connection, reference).await?,
            Change::Draining(state) => draining::put(connection, state.as_ref()).await?,
            Change::Event(_) => {}
        }
    }
    if event_count > events::MAX_EVENTS {
        events::drop_oldest(connection, event_count.saturating_sub(events::MAX_EVENTS)).await?;
        event_count = events::MAX_EVENTS;
    }
    Ok(Written {
        last_sequence,
        event_count,
    })
}

fn event_row(change: &Change) -> Option<NewEventRow<'_>> {
    match change {
        Change::Event(event) => Some(event.into()),
        Change::Desired(_)
        | Change::Known(..)
        | Change::Forget(_)
        | Change::Image(_)
        | Change::ForgetImage(_)
        | Change::Draining(_) => None,
    }
}
