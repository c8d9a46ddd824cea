//! A data directory, and what the tests do to it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tempfile::TempDir;

use crate::boundary::TaskStore as _;
use crate::boundary::store::{Change, Loaded};
use crate::boundary::{Clock, ErrorKind};
use crate::domain::ids::UnixMillis;
use crate::domain::task::Task;
use crate::store::{Opened, open};
use crate::testing::store_contract::{desired, full_desired, full_known};

pub(super) const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> UnixMillis {
        NOW
    }
}

/// A data directory of its own, removed at the end.
pub(super) struct World {
    root: TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.root.path().join("data")
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// As the agent does: again where it may pass. Windows renames no file that is open, and SQLite closes a damaged
    /// one on a thread of its own.
    pub(super) async fn open(&self) -> Opened {
        for _ in 0..100 {
            match self.try_open().await {
                Err(ErrorKind::Transient) if cfg!(windows) => {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                opened => return opened.unwrap(),
            }
        }
        self.try_open().await.unwrap()
    }

    pub(super) async fn try_open(&self) -> Result<Opened, ErrorKind> {
        open(&self.directory(), Arc::new(FixedClock))
            .await
            .map_err(|error| error.kind)
    }

    /// Opens, does these changes, closes.
    pub(super) async fn write(&self, changes: &[Change]) {
        let store = self.open().await.store;
        store.commit(changes).await.unwrap();
        store.close().await;
    }

    /// Opens, loads, closes.
    pub(super) async fn load(&self) -> (Vec<String>, Loaded) {
        let opened = self.open().await;
        let loaded = opened.store.load().await.unwrap();
        opened.store.close().await;
        let damage = opened.damage.into_iter().map(|damage| damage.message);
        (damage.collect(), loaded)
    }

    /// Runs statements as another program would.
    pub(super) async fn sql(&self, statements: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(&mut connection)
            .await
            .unwrap();
        sqlx::Connection::close(connection).await.unwrap();
    }

    /// The first column of the first row.
    pub(super) async fn value<T>(&self, query: &'static str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + Unpin,
    {
        let mut connection = self.connect().await;
        let value = sqlx::query_scalar(query)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        sqlx::Connection::close(connection).await.unwrap();
        value
    }

    async fn connect(&self) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(self.file("berth.db"))
            .foreign_keys(false)
            .connect()
            .await
            .unwrap()
    }

    /// Names in the data directory, in order.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.directory())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// Two tasks with every field set.
pub(super) fn two_tasks() -> (Vec<Change>, [Task; 2]) {
    let tasks = ["a", "b"].map(|id| Task {
        desired: full_desired(id),
        known: full_known(),
    });
    (changes_of(&tasks), tasks)
}

/// The changes that make these tasks.
pub(super) fn changes_of(tasks: &[Task]) -> Vec<Change> {
    tasks
        .iter()
        .flat_map(|task| {
            [
                Change::Desired(task.desired.clone()),
                Change::Known(task.arn().clone(), task.known.clone()),
            ]
        })
        .collect()
}

/// A task that has just arrived.
pub(super) fn new_task(id: &str) -> Change {
    Change::Desired(desired(id, 1))
}
