//! The store's promises to the engine, kept with the tables of the other files.
//!
//! **Invariant.** Every write is one transaction that begins with `BEGIN IMMEDIATE` on the one writing connection,
//! and nothing but that connection is waited for while it is open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::SqlitePool;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::checksum::Checksums;
use super::error::boundary;
use super::load::Bad;
use super::open::Database;
use super::{desired, draining, events, images, instance, known, load};
use crate::boundary::store::{Change, Damage, Loaded, StoredEvent};
use crate::boundary::{BoundaryError, Clock, InstanceStore, TaskStore};
use crate::domain::ids::TaskArn;

/// Longest that one call waits for the disk. A commit that takes longer may still come about.
const CALL_LIMIT: Duration = Duration::from_mins(1);

const COMMIT: &str = "write to the database";
const LOAD: &str = "read the database";
const EVENTS: &str = "read events from the database";

/// The store in `berth.db`.
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    checksums: Checksums,
    clock: Arc<dyn Clock>,
    /// Number of stored events; `None` = to be counted. Held for the length of a commit, so commits queue here.
    event_count: Mutex<Option<i64>>,
}

impl SqliteStore {
    pub(super) fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self {
            writer: database.writer,
            readers: database.readers,
            checksums: database.checksums,
            clock,
            event_count: Mutex::new(None),
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

    async fn write(&self, changes: &[Change]) -> sqlx::Result<i64> {
        let mut event_count = self.event_count.lock().await;
        // If this is dropped or fails on the way, the next one counts.
        let counted = event_count.take();
        let mut connection = self.writer.acquire().await?;
        match transact(&mut connection, changes, self.checksums, counted).await {
            Ok(written) => {
                *event_count = Some(written.event_count);
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

    async fn read_all(&self) -> sqlx::Result<Loaded> {
        let mut connection = self.writer.acquire().await?;
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
        within(COMMIT, self.write(changes)).await
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
            let mut connection = self.writer.acquire().await?;
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
    let mut told = BTreeSet::new();
    for change in changes {
        match change {
            Change::Desired(task) => {
                let id = desired::table::put(connection, task, checksums).await?;
                known::table::ensure(connection, id, checksums).await?;
            }
            Change::Known(arn, task) => {
                if let Some(id) = desired::table::id(connection, arn.as_str()).await? {
                    known::table::put(connection, id, task, checksums).await?;
                }
            }
            Change::Forget(arn) => {
                if let Some(id) = desired::table::id(connection, arn.as_str()).await? {
                    desired::table::remove(connection, id).await?;
                }
            }
            Change::Image(image) => images::put(connection, image, checksums).await?,
            Change::ForgetImage(reference) => images::forget(connection, reference).await?,
            Change::Draining(state) => draining::put(connection, state.as_ref()).await?,
            Change::Event(event) => {
                last_sequence = events::add(connection, event).await?;
                event_count = event_count.saturating_add(1);
                told.insert(&event.arn);
            }
        }
    }
    for arn in told {
        let dropped = events::trim_task(connection, arn).await?;
        event_count = event_count.saturating_sub_unsigned(dropped);
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
