//! Opening the store, so that it always opens: options with their reasons, the look for damage, the fresh start.
//!
//! A file is damaged if SQLite says so, if its structure is not sound, if its schema is not ours, or if reading every
//! task from it fails as a whole. It is renamed and a fresh one made. What is wrong around it (no right to write, no
//! room, another program's lock) is an error and changes nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::checkpoint::{Checkpoints, Commits};
use super::checksum::Checksums;
use super::error::{boundary, io_kind, says_damaged};
use super::files::{Files, Found, Lost};
use super::flush::{Flushes, Unflushed};
use super::integrity::{self, Integrity};
use super::schema::{self, SchemaError};
use super::service::SqliteStore;
use super::{events, load};
use crate::boundary::store::Damage;
use crate::boundary::{BoundaryError, Clock, ErrorKind};
use crate::domain::ids::UnixMillis;
use crate::error::ErrorChain;

/// How long a statement waits for another program's lock, for instance of somebody who looks at the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Reading connections. One is enough for the event streams of a few watchers, the other for those in a hurry.
const READERS: u32 = 2;

/// How long an unused reading connection, each a thread and a page cache, is kept.
const READER_IDLE: Duration = Duration::from_mins(1);

/// Page cache of each connection in KiB; negative because that is how SQLite tells KiB from pages.
const CACHE_KIB: &str = "-1024";

/// Bytes that the log is cut to when it has been written into the database: about what it grows to between two
/// checkpoints.
const LOG_LIMIT_BYTES: &str = "4096000";

/// Pages of the log after which a commit moves it into the database, should nobody else have done so: 32 MB.
const LONGEST_LOG_PAGES: &str = "8000";

/// A store that works, and how it came to be.
pub struct Opened {
    /// The store.
    pub store: SqliteStore,
    /// What keeps its log short; to be run beside it.
    pub checkpoints: Checkpoints,
    /// What flushes its log where no commit does; to be run beside it.
    pub flushes: Flushes,
    /// Files that were set aside, one line each with the new name.
    pub damage: Vec<Damage>,
    /// The store was never used: there was no database, or none that could be read. Whatever runs on the host is not
    /// known to it. Said at each opening until the first commit, so that a kill in between loses nothing.
    pub fresh: bool,
}

/// Opens `berth.db` in the directory, and makes both if they are not there. Blocks the thread for the few calls on
/// the file system that come before SQLite's.
///
/// # Errors
/// `Denied` if the directory or file cannot be written, `NoSpace` if the disk is full, `Transient` if another program
/// holds the file. Never for damage.
pub async fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Opened, BoundaryError> {
    let files = Files::new(directory);
    let operation = format!("open the database in {}", directory.display());
    let failed = |error: OpenError| error.into_boundary(&operation);
    let found = files.look().map_err(OpenError::Io).map_err(failed)?;
    let mut damage = Vec::new();
    let log = set_log_aside(&files, found, clock.now())
        .map_err(OpenError::Io)
        .map_err(failed)?;
    damage.extend(log);
    let why = match found {
        Found::Nothing => None,
        Found::Stump => Some(OpenError::Stump),
        Found::NoFile => Some(OpenError::NoFile),
        Found::Content => match connect(&files).await {
            Ok(database) => return Ok(opened(database, damage, &files, clock)),
            Err(error) if error.is_damage() => Some(error),
            Err(error) => return Err(failed(error)),
        },
    };
    if let Some(why) = why {
        let name = files
            .set_aside(clock.now())
            .map_err(OpenError::Io)
            .map_err(failed)?;
        damage.push(note(format!(
            "the database cannot be used and was renamed to {name}: {}",
            ErrorChain(&why)
        )));
    }
    let database = create(&files).await.map_err(failed)?;
    Ok(opened(database, damage, &files, clock))
}

fn opened(
    database: Database,
    mut damage: Vec<Damage>,
    files: &Files,
    clock: Arc<dyn Clock>,
) -> Opened {
    damage.extend(database.notes.iter().cloned());
    let fresh = database.unused;
    if let (true, [], Some(lost)) = (fresh, damage.as_slice(), files.last_lost()) {
        // Whoever set it aside was killed before it could say so, or nothing was written since.
        let name = lost.name;
        damage.push(note(format!(
            "an earlier database could not be used and is kept as {name}"
        )));
    }
    let commits = Arc::new(Commits::default());
    let unflushed = Arc::new(Unflushed::new(files.log()));
    Opened {
        checkpoints: Checkpoints::new(Arc::clone(&commits), options(files)),
        flushes: Flushes(Arc::clone(&unflushed)),
        store: SqliteStore::new(database, clock, (commits, unflushed)),
        damage,
        fresh,
    }
}

fn set_log_aside(files: &Files, found: Found, now: UnixMillis) -> std::io::Result<Option<Damage>> {
    let (name, what) = match found {
        Found::Nothing => (files.set_lone_log_aside(now)?, "has no database"),
        Found::Content => (files.set_bad_log_aside(now)?, "is damaged"),
        // It goes where its database goes.
        Found::Stump | Found::NoFile => (None, ""),
    };
    Ok(name.map(|name| {
        note(format!(
            "the write-ahead log {what} and was renamed to {name}: the latest changes may be lost"
        ))
    }))
}

/// Connections to a sound file with a schema that can be used.
pub(super) struct Database {
    pub writer: SqlitePool,
    pub readers: SqlitePool,
    pub checksums: Checksums,
    unused: bool,
    notes: Vec<Damage>,
}

#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("its files cannot be used")]
    Io(#[source] std::io::Error),
    #[error("the file is cut short")]
    Stump,
    #[error("it is no file")]
    NoFile,
    #[error("its structure is damaged: {finding}")]
    Structure { finding: String },
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error("SQLite cannot use it")]
    Sqlite(#[from] sqlx::Error),
}

impl OpenError {
    fn is_damage(&self) -> bool {
        match self {
            Self::Io(_) => false,
            Self::Stump
            | Self::NoFile
            | Self::Structure { .. }
            | Self::Schema(SchemaError::TooNew { .. } | SchemaError::Record(_)) => true,
            Self::Schema(SchemaError::Statement(error)) | Self::Sqlite(error) => {
                says_damaged(error)
            }
        }
    }

    fn into_boundary(self, operation: &str) -> BoundaryError {
        match self {
            Self::Io(error) => {
                BoundaryError::new(operation, io_kind(&error), "its files cannot be used")
                    .because(error)
            }
            Self::Schema(SchemaError::Statement(error)) | Self::Sqlite(error) => {
                boundary(operation, error)
            }
            Self::Stump
            | Self::NoFile
            | Self::Structure { .. }
            | Self::Schema(SchemaError::TooNew { .. } | SchemaError::Record(_)) => {
                BoundaryError::new(operation, ErrorKind::Invalid, "a fresh file is damaged")
                    .because(self)
            }
        }
    }
}

fn note(message: String) -> Damage {
    Damage {
        task: None,
        message,
    }
}

/// A new file.
async fn create(files: &Files) -> Result<Database, OpenError> {
    let made = connect(files).await;
    if made.is_err() {
        files.remove();
    }
    made
}

async fn connect(files: &Files) -> Result<Database, OpenError> {
    files.prepare().map_err(OpenError::Io)?;
    let options = options(files);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options.clone())
        .await?;
    let mut database = Database {
        writer,
        readers: SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(READER_IDLE)
            .test_before_acquire(false)
            .connect_lazy_with(options.read_only(true)),
        checksums: Checksums::Unused,
        unused: false,
        notes: Vec::new(),
    };
    if let Err(error) = check(&mut database, files.last_lost()).await {
        // Before the file is renamed, so that no log is written under its old name.
        database.writer.close().await;
        return Err(error);
    }
    Ok(database)
}

fn options(files: &Files) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(files.database())
        .create_if_missing(false)
        // Readers do not hold up the writer.
        .journal_mode(SqliteJournalMode::Wal)
        // What was acknowledged survives power loss; the store takes this back for what was only seen.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("cache_size", CACHE_KIB)
        .pragma("journal_size_limit", LOG_LIMIT_BYTES)
        .pragma("wal_autocheckpoint", LONGEST_LOG_PAGES)
        // Damage inside a page is found when the page is read.
        .pragma("cell_size_check", "ON")
        // Statements say nothing that the engine does not.
        .disable_statement_logging()
}

async fn check(database: &mut Database, lost: Option<Lost>) -> Result<(), OpenError> {
    let mut connection = database.writer.acquire().await?;
    match integrity::check(&mut connection).await? {
        Integrity::Sound => {}
        Integrity::Repaired => database.notes.push(note(
            "an index of the database was damaged and has been made again".to_owned(),
        )),
        Integrity::Damaged(finding) => return Err(OpenError::Structure { finding }),
    }
    database.checksums = schema::migrate(&mut connection).await?;
    // A header that says that the file may not be written is damage too, and only a write that finds nothing to do
    // notices it.
    sqlx::query("DELETE FROM quarantine WHERE id < 0")
        .execute(&mut *connection)
        .await?;
    // What this reads is read again when the engine asks; here it shows that it can be.
    load::read(&mut connection, database.checksums).await?;
    database.unused = schema::is_unused(&mut connection).await?;
    if let Some(lost) = lost {
        events::number_after(&mut connection, lost.at).await?;
    }
    Ok(())
}
