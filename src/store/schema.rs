//! The schema: its migrations, and which files this version can use.
//!
//! **Invariant.** A file made by a later version is used as it is, unless that version said that older ones cannot.

use sqlx::SqliteConnection;
use sqlx::migrate::{MigrateError, Migrator};

use super::checksum::Checksums;

/// What this version of the reader is. A migration that older readers cannot cope with sets `user_version` to the
/// first reader that can; all others leave it alone.
const READER: i64 = 1;

/// Why a file cannot be brought to the schema.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    /// A later version wrote it and says so.
    #[error(
        "it was written by a later version of the agent and needs reader {needed}, this is {READER}"
    )]
    TooNew { needed: i64 },
    /// What is written there about migrations is not true.
    #[error("its record of migrations is wrong")]
    Record(#[source] MigrateError),
    /// SQLite refused.
    #[error("its schema cannot be read or brought up to date")]
    Statement(#[source] sqlx::Error),
}

/// Brings a file to this version's schema, or leaves it with a newer one.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<Checksums, SchemaError> {
    let needed: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await
        .map_err(SchemaError::Statement)?;
    if needed > READER {
        return Err(SchemaError::TooNew { needed });
    }
    let migrator = migrator();
    migrator
        .run_direct(None, &mut *connection, false)
        .await
        .map_err(split)?;
    let applied: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(connection)
        .await
        .map_err(SchemaError::Statement)?;
    let newest = migrator.iter().map(|migration| migration.version).max();
    Ok(if Some(applied) > newest {
        Checksums::Unused
    } else {
        Checksums::Used
    })
}

/// Whether nothing was ever committed, as far as it matters: every task that was put has left an event, which stays
/// when the task is forgotten.
pub(super) async fn is_unused(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT NOT (EXISTS (SELECT 1 FROM tasks) OR EXISTS (SELECT 1 FROM images)
               OR EXISTS (SELECT 1 FROM events) OR EXISTS (SELECT 1 FROM draining) OR EXISTS (SELECT 1 FROM quarantine)) AS "unused!: bool""#
    )
    .fetch_one(connection)
    .await
}

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    // Migrations of later versions.
    migrator.set_ignore_missing(true);
    migrator
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all but two variants are about the record"
)]
fn split(error: MigrateError) -> SchemaError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            SchemaError::Statement(error)
        }
        other => SchemaError::Record(other),
    }
}
