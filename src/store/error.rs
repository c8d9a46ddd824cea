//! Errors of SQLite as the engine sees them, and errors of single rows, which never stop the reading of others.

use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::ids::IdError;

// Primary result codes of SQLite (<https://www.sqlite.org/rescode.html>); an extended code has one in its low byte.
const ERROR: i32 = 1;
const PERM: i32 = 3;
const READONLY: i32 = 8;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const CONSTRAINT: i32 = 19;
const AUTH: i32 = 23;
const FORMAT: i32 = 24;
const NOTADB: i32 = 26;

/// The index of the write-ahead log cannot grow: in practice a full disk.
const IOERR_SHMSIZE: i32 = 4874;

/// Why one row cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowError {
    /// A word that this version does not know.
    #[error("{column} is {text:?}, which is not known")]
    Unknown { column: &'static str, text: String },
    /// A number that does not fit its meaning.
    #[error("{column} is {value}, which is out of range")]
    OutOfRange { column: &'static str, value: i64 },
    /// Text that is not the identifier it should be.
    #[error("{column} is not an identifier")]
    Id {
        column: &'static str,
        #[source]
        source: IdError,
    },
    /// Text that is not the definition it should be.
    #[error("the definition cannot be read")]
    Definition(#[source] crate::definition::Rejected),
    /// Some columns of what belongs together are NULL.
    #[error("{what} is there in part")]
    Incomplete { what: &'static str },
    /// A row that another one needs.
    #[error("there is no row in {table}")]
    Missing { table: &'static str },
    /// The stored checksum is another one.
    #[error("the checksum of {table} does not match")]
    Checksum { table: &'static str },
    /// A column of the wrong type, or text that is not UTF-8.
    #[error("a column cannot be read")]
    Column(#[source] sqlx::Error),
}

impl RowError {
    /// A word that is not known.
    pub(super) fn unknown(column: &'static str, text: &str) -> Self {
        Self::Unknown {
            column,
            text: text.to_owned(),
        }
    }
}

/// Why reading one task failed: its rows, or the file as a whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The rows; others may be good.
    #[error("its rows are damaged")]
    Row(#[from] RowError),
    /// The file.
    #[error("the file cannot be read")]
    File(#[source] sqlx::Error),
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        if is_row_error(&error) {
            Self::Row(RowError::Column(error))
        } else {
            Self::File(error)
        }
    }
}

fn is_row_error(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)
    )
}

/// An error for the engine. What SQLite says is the message, the whole error the cause.
pub(super) fn boundary(operation: impl Into<String>, error: sqlx::Error) -> BoundaryError {
    let message = error
        .as_database_error()
        .map_or("the database did not do it", |database| database.message())
        .to_owned();
    BoundaryError::new(operation, kind(&error), message).because(error)
}

/// Kind of a failure.
pub(super) fn kind(error: &sqlx::Error) -> ErrorKind {
    match code(error) {
        Some(IOERR_SHMSIZE) => ErrorKind::NoSpace,
        Some(code) => match primary(code) {
            FULL => ErrorKind::NoSpace,
            PERM | READONLY | CANTOPEN | AUTH => ErrorKind::Denied,
            CORRUPT | NOTADB | FORMAT | CONSTRAINT | ERROR => ErrorKind::Invalid,
            // Among them locks held by other programs, and failures of the disk.
            _ => ErrorKind::Transient,
        },
        None => kind_without_code(error),
    }
}

fn kind_without_code(error: &sqlx::Error) -> ErrorKind {
    if let sqlx::Error::Io(io) = error {
        return io_kind(io);
    }
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return ErrorKind::DeadlineExceeded;
    }
    if matches!(error, sqlx::Error::PoolClosed) {
        return ErrorKind::Cancelled;
    }
    ErrorKind::Transient
}

/// Kind of a failed call on the file system.
pub(super) fn io_kind(error: &std::io::Error) -> ErrorKind {
    use std::io::ErrorKind as Io;
    let kind = error.kind();
    if matches!(kind, Io::StorageFull | Io::QuotaExceeded) {
        ErrorKind::NoSpace
    } else if matches!(kind, Io::NotFound) {
        ErrorKind::NotFound
    } else if matches!(
        kind,
        Io::PermissionDenied
            | Io::ReadOnlyFilesystem
            | Io::NotADirectory
            | Io::IsADirectory
            | Io::AlreadyExists
    ) {
        ErrorKind::Denied
    } else {
        ErrorKind::Transient
    }
}

/// Whether the file is not what this agent wrote. `ERROR` counts: the statements are fixed, so it is the schema that
/// does not fit them. `READONLY` counts because the file could be opened for writing before.
pub(super) fn says_damaged(error: &sqlx::Error) -> bool {
    let damaged = [CORRUPT, NOTADB, FORMAT, READONLY, CONSTRAINT, ERROR];
    code(error).is_some_and(|code| damaged.contains(&primary(code)))
        || is_row_error(error)
        || matches!(error, sqlx::Error::ColumnNotFound(_))
}

fn code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn primary(code: i32) -> i32 {
    code & 0xff
}
