//! The table `control_plane`: facts by name.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

/// Reads all.
pub(super) async fn all(
    connection: &mut SqliteConnection,
) -> sqlx::Result<BTreeMap<String, String>> {
    let rows = sqlx::query!("SELECT key, value FROM control_plane ORDER BY key")
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.key, row.value)).collect())
}

/// Writes one.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    key: &str,
    value: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO control_plane (key, value) VALUES (?, ?)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value,
    )
    .execute(connection)
    .await?;
    Ok(())
}
