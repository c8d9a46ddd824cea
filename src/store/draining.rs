//! The table `draining`: one row or none.
//!
//! **Invariant.** That the row is there is the fact. What is in it are words for people, so a letter that has changed in
//! them does not end the draining, and there is no checksum.

use sqlx::SqliteConnection;

use crate::domain::draining::Draining;
use crate::domain::ids::UnixMillis;

/// Makes this the present state.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    draining: Option<&Draining>,
) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM draining")
        .execute(&mut *connection)
        .await?;
    if let Some(draining) = draining {
        sqlx::query!(
            "INSERT INTO draining (id, since, reason) VALUES (1, ?, ?)",
            draining.since.0,
            draining.reason,
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// Reads the present state.
pub(super) async fn get(connection: &mut SqliteConnection) -> sqlx::Result<Option<Draining>> {
    let row =
        sqlx::query!("SELECT since, CAST(reason AS BLOB) AS \"reason!: Vec<u8>\" FROM draining")
            .fetch_optional(connection)
            .await?;
    Ok(row.map(|row| Draining {
        since: UnixMillis(row.since),
        reason: String::from_utf8_lossy(&row.reason).into_owned(),
    }))
}
