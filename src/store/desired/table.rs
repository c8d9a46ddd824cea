//! The table `tasks`.

use sqlx::SqliteConnection;

use super::rows::DesiredRow;
use crate::domain::task::DesiredTask;
use crate::store::checksum::Checksums;
use crate::store::error::{ReadError, RowError};

/// Inserts or replaces what was asked. Returns the task's id, which stays the same for as long as the task is there.
pub(in crate::store) async fn put(
    connection: &mut SqliteConnection,
    task: &DesiredTask,
    checksums: Checksums,
) -> sqlx::Result<i64> {
    let row = DesiredRow::from(task);
    let checksum = checksums.of(&row);
    sqlx::query_scalar!(
        r#"INSERT INTO tasks (arn, generation, definition_version, definition, network_as,
               ignore_compatibilities, origin, origin_file, status, stop_reason_name, stop_reason_message, remove,
               arrived_at, task_role_id, execution_role_id, endpoint_ids, launch_type, service_name, container_arns, checksum)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (arn) DO UPDATE SET
               generation = excluded.generation,
               definition_version = excluded.definition_version,
               definition = excluded.definition,
               network_as = excluded.network_as,
               ignore_compatibilities = excluded.ignore_compatibilities,
               origin = excluded.origin,
               origin_file = excluded.origin_file,
               status = excluded.status,
               stop_reason_name = excluded.stop_reason_name,
               stop_reason_message = excluded.stop_reason_message,
               remove = excluded.remove,
               arrived_at = excluded.arrived_at,
               task_role_id = excluded.task_role_id,
               execution_role_id = excluded.execution_role_id,
               endpoint_ids = excluded.endpoint_ids,
               launch_type = excluded.launch_type,
               service_name = excluded.service_name,
               container_arns = excluded.container_arns,
               checksum = excluded.checksum
           RETURNING id AS "id!""#,
        row.arn,
        row.generation,
        row.definition_version,
        row.definition,
        row.network_as,
        row.ignore_compatibilities,
        row.origin,
        row.origin_file,
        row.status,
        row.stop_reason_name,
        row.stop_reason_message,
        row.remove,
        row.arrived_at,
        row.task_role_id,
        row.execution_role_id,
        row.endpoint_ids,
        row.launch_type,
        row.service_name,
        row.container_arns,
        checksum,
    )
    .fetch_one(connection)
    .await
}

/// Id of a task; `None` if it is not there.
pub(in crate::store) async fn id(
    connection: &mut SqliteConnection,
    arn: &str,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!("SELECT id FROM tasks WHERE arn = ?", arn)
        .fetch_optional(connection)
        .await
}

/// Ids of all tasks, in the order of their making.
pub(in crate::store) async fn ids(connection: &mut SqliteConnection) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!("SELECT id FROM tasks ORDER BY id")
        .fetch_all(connection)
        .await
}

/// ARN of a task as the bytes in its row, readable or not.
pub(in crate::store) async fn arn_bytes(
    connection: &mut SqliteConnection,
    id: i64,
) -> sqlx::Result<Vec<u8>> {
    sqlx::query_scalar!(
        r#"SELECT CAST(arn AS BLOB) AS "arn!: Vec<u8>" FROM tasks WHERE id = ?"#,
        id
    )
    .fetch_one(connection)
    .await
}

/// Reads what was asked.
pub(in crate::store) async fn get(
    connection: &mut SqliteConnection,
    id: i64,
    checksums: Checksums,
) -> Result<DesiredTask, ReadError> {
    let row = sqlx::query_as!(
        DesiredRow,
        r#"SELECT arn, generation, definition_version, definition, network_as,
               ignore_compatibilities AS "ignore_compatibilities: bool", origin, origin_file, status,
               stop_reason_name, stop_reason_message, remove AS "remove: bool", arrived_at, task_role_id,
               execution_role_id, endpoint_ids, launch_type, service_name, container_arns
           FROM tasks WHERE id = ?"#,
        id
    )
    .fetch_one(&mut *connection)
    .await?;
    let stored = sqlx::query_scalar!("SELECT checksum FROM tasks WHERE id = ?", id)
        .fetch_one(connection)
        .await?;
    if !checksums.fit(&row, stored) {
        return Err(RowError::Checksum { table: "tasks" }.into());
    }
    Ok(DesiredTask::try_from(row)?)
}

/// Removes a task with all that hangs on it.
pub(in crate::store) async fn remove(
    connection: &mut SqliteConnection,
    id: i64,
) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM tasks WHERE id = ?", id)
        .execute(connection)
        .await?;
    Ok(())
}
