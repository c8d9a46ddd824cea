//! The table `images`.

use sqlx::SqliteConnection;

use super::checksum::Checksums;
use super::error::{ReadError, RowError};
use super::rows::ImageRow;
use crate::boundary::store::ImageRecord;

/// Inserts or replaces what is remembered of an image.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    image: &ImageRecord,
    checksums: Checksums,
) -> sqlx::Result<()> {
    let row = ImageRow::from(image);
    let checksum = checksums.of(&row);
    sqlx::query!(
        "INSERT INTO images (reference, image_id, pulled_at, last_used_at, size_bytes, checksum)
         VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (reference) DO UPDATE SET
             image_id = excluded.image_id,
             pulled_at = excluded.pulled_at,
             last_used_at = excluded.last_used_at,
             size_bytes = excluded.size_bytes,
             checksum = excluded.checksum",
        row.reference,
        row.image_id,
        row.pulled_at,
        row.last_used_at,
        row.size_bytes,
        checksum,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets an image.
pub(super) async fn forget(connection: &mut SqliteConnection, reference: &str) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM images WHERE reference = ?", reference)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ids of all images, in the order of their making.
pub(super) async fn ids(connection: &mut SqliteConnection) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!("SELECT id FROM images ORDER BY id")
        .fetch_all(connection)
        .await
}

/// Reads one image.
pub(super) async fn get(
    connection: &mut SqliteConnection,
    id: i64,
    checksums: Checksums,
) -> Result<ImageRecord, ReadError> {
    let row = sqlx::query_as!(
        ImageRow,
        "SELECT reference, image_id, pulled_at, last_used_at, size_bytes FROM images WHERE id = ?",
        id
    )
    .fetch_one(&mut *connection)
    .await?;
    let stored = sqlx::query_scalar!("SELECT checksum FROM images WHERE id = ?", id)
        .fetch_one(connection)
        .await?;
    if !checksums.fit(&row, stored) {
        return Err(RowError::Checksum { table: "images" }.into());
    }
    Ok(ImageRecord::try_from(row)?)
}

/// Removes an image by its id.
pub(super) async fn remove(connection: &mut SqliteConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM images WHERE id = ?", id)
        .execute(connection)
        .await?;
    Ok(())
}
