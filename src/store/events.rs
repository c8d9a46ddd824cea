//! The table `events`: the timelines.
//!
//! **Invariants.** A sequence number is never given twice, not even after the entries that had the highest ones are
//! gone. No task has more than [`MAX_EVENTS_PER_TASK`] entries, all together have no more than [`MAX_EVENTS`].

use sqlx::SqliteConnection;

use super::fields::json;
use super::rows::{EventRow, NewEventRow};
use crate::boundary::store::{MAX_EVENTS_PER_TASK, StoredEvent};
use crate::domain::ids::{TaskArn, UnixMillis};

/// Most entries of all tasks together, those that were forgotten included: about 10 MB. The oldest go first.
pub(super) const MAX_EVENTS: i64 = 50_000;

/// Entries that were written.
pub(super) struct Added {
    /// Sequence number of the last.
    pub(super) sequence: i64,
    /// How many older ones of their tasks went, because these had too many.
    pub(super) dropped: u64,
}

/// Writes entries in their order, with one call of the connection's thread.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    events: &[NewEventRow<'_>],
) -> sqlx::Result<Added> {
    let (rows, keep) = (json(events)?, i64::from(MAX_EVENTS_PER_TASK));
    let done = sqlx::query!(
        "INSERT INTO events (arn, at, container, kind, message)
         SELECT value->>'arn', value->>'at', value->>'container', value->>'kind', value->>'message'
         FROM json_each(?) ORDER BY key;
         DELETE FROM events WHERE sequence IN (
             SELECT old.sequence
             FROM (SELECT DISTINCT value->>'arn' AS arn FROM json_each(?)) AS told
             JOIN events AS old ON old.arn = told.arn AND old.sequence <= (
                 SELECT sequence FROM events WHERE arn = told.arn ORDER BY sequence DESC LIMIT 1 OFFSET ?))",
        rows,
        rows,
        keep,
    )
    .execute(connection)
    .await?;
    let added = u64::try_from(events.len()).unwrap_or(u64::MAX);
    Ok(Added {
        sequence: done.last_insert_rowid(),
        dropped: done.rows_affected().saturating_sub(added),
    })
}

/// Numbers begin above that instant in milliseconds, or go on if they are above it already. Where a file was lost at
/// that instant, they are above all that it can have given: it began like this too or at zero, and no store writes a
/// thousand events a second. Does nothing when it is done again, so it is done at each opening.
pub(super) async fn number_after(
    connection: &mut SqliteConnection,
    lost_at: UnixMillis,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'events' AND seq < ?1")
        .bind(lost_at.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'events', ?
         WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'events')",
    )
    .bind(lost_at.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// Number of entries there are.
pub(super) async fn count(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!: i64" FROM events"#)
        .fetch_one(connection)
        .await
}

/// Drops so many of the oldest entries.
pub(super) async fn drop_oldest(
    connection: &mut SqliteConnection,
    number: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM events WHERE sequence IN (SELECT sequence FROM events ORDER BY sequence LIMIT ?)",
        number
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// At most `limit` entries after `sequence`, oldest first. One whose task or container cannot be read is left out, and
/// other text that is not UTF-8 has replacement characters: a damaged entry must not hide the rest of a timeline.
pub(super) async fn after(
    connection: &mut SqliteConnection,
    task: Option<&TaskArn>,
    sequence: i64,
    limit: u32,
) -> sqlx::Result<Vec<StoredEvent>> {
    let rows = match task {
        Some(arn) => rows_of_task(connection, arn, sequence, i64::from(limit)).await?,
        None => rows(connection, sequence, i64::from(limit)).await?,
    };
    Ok(rows
        .into_iter()
        .filter_map(|row| StoredEvent::try_from(row).ok())
        .collect())
}

/// The last entries of each task that is there, at most `per_task` each, oldest first. Of damaged ones as [`after`].
pub(super) async fn recent(
    connection: &mut SqliteConnection,
    per_task: u32,
) -> sqlx::Result<Vec<StoredEvent>> {
    let Some(skipped) = per_task.checked_sub(1).map(i64::from) else {
        return Ok(Vec::new());
    };
    let rows = sqlx::query_as!(
        EventRow,
        r#"SELECT sequence AS "sequence!", CAST(events.arn AS BLOB) AS "arn!: Vec<u8>", at AS "at!",
               CAST(container AS BLOB) AS "container?: Vec<u8>", CAST(kind AS BLOB) AS "kind!: Vec<u8>",
               CAST(message AS BLOB) AS "message!: Vec<u8>"
           FROM tasks JOIN events ON events.arn = tasks.arn
           WHERE sequence >= coalesce((
               SELECT sequence FROM events AS own WHERE own.arn = tasks.arn
               ORDER BY sequence DESC LIMIT 1 OFFSET ?), 0)
           ORDER BY sequence"#,
        skipped,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| StoredEvent::try_from(row).ok())
        .collect())
}

/// Whether entries after `sequence` are gone, and the first that is there. Numbers are given one after the other, so
/// that a missing one is one that was dropped; the log was lost if it has not come as far.
pub(super) async fn gone_after(
    connection: &mut SqliteConnection,
    task: Option<&TaskArn>,
    sequence: i64,
) -> sqlx::Result<Option<i64>> {
    let held = sqlx::query!(
        r#"SELECT coalesce(min(sequence), 0) AS "first!: i64", coalesce(max(sequence), 0) AS "last!: i64",
               coalesce(sum(sequence > ?), 0) AS "after!: i64" FROM events"#,
        sequence,
    )
    .fetch_one(&mut *connection)
    .await?;
    if let Some(arn) = task
        && sequence <= held.last
    {
        let arn = arn.as_str();
        // What is dropped of a task is its oldest.
        let earlier_is_there = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM events WHERE arn = ? AND sequence <= ?) AS "there!: bool""#,
            arn,
            sequence,
        )
        .fetch_one(connection)
        .await?;
        if earlier_is_there {
            return Ok(None);
        }
    }
    let whole = held.last.checked_sub(sequence) == Some(held.after);
    Ok((!whole).then_some(held.first))
}

async fn rows_of_task(
    connection: &mut SqliteConnection,
    arn: &TaskArn,
    sequence: i64,
    limit: i64,
) -> sqlx::Result<Vec<EventRow>> {
    let arn = arn.as_str();
    sqlx::query_as!(
        EventRow,
        r#"SELECT sequence, CAST(arn AS BLOB) AS "arn!: Vec<u8>", at,
               CAST(container AS BLOB) AS "container?: Vec<u8>", CAST(kind AS BLOB) AS "kind!: Vec<u8>",
               CAST(message AS BLOB) AS "message!: Vec<u8>"
           FROM events WHERE arn = ? AND sequence > ? ORDER BY sequence LIMIT ?"#,
        arn,
        sequence,
        limit,
    )
    .fetch_all(connection)
    .await
}

async fn rows(
    connection: &mut SqliteConnection,
    sequence: i64,
    limit: i64,
) -> sqlx::Result<Vec<EventRow>> {
    sqlx::query_as!(
        EventRow,
        r#"SELECT sequence, CAST(arn AS BLOB) AS "arn!: Vec<u8>", at,
               CAST(container AS BLOB) AS "container?: Vec<u8>", CAST(kind AS BLOB) AS "kind!: Vec<u8>",
               CAST(message AS BLOB) AS "message!: Vec<u8>"
           FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?"#,
        sequence,
        limit,
    )
    .fetch_all(connection)
    .await
}
