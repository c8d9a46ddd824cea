//! Whether the file's structure is sound, by SQLite's own checks.
//!
//! Tables hold what was committed; a damage of theirs cannot be undone. Indexes can be made again from the tables, and
//! must be: a search by a damaged one misses rows that are there, and a delete fails each time it is tried.

use sqlx::SqliteConnection;

/// What the checks found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Integrity {
    /// Nothing.
    Sound,
    /// Indexes were wrong and have been made again.
    Repaired,
    /// The first finding.
    Damaged(String),
}

/// Checks everything, indexes too: 0.1 s for the largest file that the limits on events allow.
pub(super) async fn check(connection: &mut SqliteConnection) -> sqlx::Result<Integrity> {
    let whole = first_finding(connection, "PRAGMA integrity_check(1)").await?;
    if whole.is_none() {
        return Ok(Integrity::Sound);
    }
    if let Some(finding) = first_finding(connection, "PRAGMA quick_check(1)").await? {
        return Ok(Integrity::Damaged(finding));
    }
    sqlx::query("REINDEX").execute(&mut *connection).await?;
    Ok(
        match first_finding(connection, "PRAGMA integrity_check(1)").await? {
            None => Integrity::Repaired,
            Some(finding) => Integrity::Damaged(finding),
        },
    )
}

async fn first_finding(
    connection: &mut SqliteConnection,
    check: &'static str,
) -> sqlx::Result<Option<String>> {
    let finding: String = sqlx::query_scalar(check).fetch_one(connection).await?;
    Ok((finding != "ok").then_some(finding))
}
