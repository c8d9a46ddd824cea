//! The table `known_tasks` and those that hang on it.
//!
//! Known state is written whole: what a task had before is deleted first.

use sqlx::SqliteConnection;

use super::rows::{
    BindingRow, ConditionRow, ContainerRow, KnownRow, KnownRows, MountRow, NetworkRow,
    ReservationRow, ResourceRow,
};
use crate::domain::task::KnownTask;
use crate::store::checksum::Checksums;
use crate::store::error::{ReadError, RowError};

/// Gives a new task the row that says that nothing is known; one that has a row keeps it.
pub(in crate::store) async fn ensure(
    connection: &mut SqliteConnection,
    task: i64,
    checksums: Checksums,
) -> sqlx::Result<()> {
    let rows = KnownRows::from(&KnownTask::default());
    let checksum = checksums.of(&rows);
    sqlx::query!(
        "INSERT INTO known_tasks (task, status, observed_generation, checksum) VALUES (?, ?, ?, ?)
         ON CONFLICT (task) DO NOTHING",
        task,
        rows.task.status,
        rows.task.observed_generation,
        checksum,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes the known state of a task that is there.
pub(in crate::store) async fn put(
    connection: &mut SqliteConnection,
    task: i64,
    known: &KnownTask,
    checksums: Checksums,
) -> sqlx::Result<()> {
    let rows = KnownRows::from(known);
    let checksum = checksums.of(&rows);
    clear(connection, task).await?;
    put_task(connection, task, &rows.task, checksum).await?;
    for row in &rows.containers {
        put_container(connection, task, row).await?;
    }
    for row in &rows.bindings {
        put_binding(connection, task, row).await?;
    }
    for row in &rows.reservations {
        put_reservation(connection, task, row).await?;
    }
    for row in &rows.networks {
        put_network(connection, task, row).await?;
    }
    for row in &rows.mounts {
        put_mount(connection, task, row).await?;
    }
    for row in &rows.resources {
        put_resource(connection, task, row).await?;
    }
    for row in &rows.conditions {
        put_condition(connection, task, row).await?;
    }
    Ok(())
}

/// Reads the known state of a task.
pub(in crate::store) async fn get(
    connection: &mut SqliteConnection,
    task: i64,
    checksums: Checksums,
) -> Result<KnownTask, ReadError> {
    let stored = sqlx::query_scalar!("SELECT checksum FROM known_tasks WHERE task = ?", task)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or(RowError::Missing {
            table: "known_tasks",
        })?;
    let rows = rows(connection, task).await?;
    if !checksums.fit(&rows, stored) {
        return Err(RowError::Checksum {
            table: "known_tasks",
        }
        .into());
    }
    Ok(KnownTask::try_from(rows)?)
}

async fn rows(connection: &mut SqliteConnection, task: i64) -> sqlx::Result<KnownRows> {
    let known = sqlx::query_as!(
        KnownRow,
        "SELECT status, observed_generation, admitted_at, stop_name, stop_message, stop_at, pull_started_at,
             pull_stopped_at, started_at, execution_stopped_at, stopped_at, reported, reported_containers
         FROM known_tasks WHERE task = ?",
        task
    )
    .fetch_one(&mut *connection)
    .await?;
    let bindings = sqlx::query_as!(
        BindingRow,
        "SELECT container, position, container_port, protocol, bind_ip, host_port
         FROM bindings WHERE task = ? ORDER BY container, position",
        task
    )
    .fetch_all(&mut *connection)
    .await?;
    let reservations = sqlx::query_as!(
        ReservationRow,
        "SELECT container, position, mapping, first_host_port, count, protocol
         FROM reservations WHERE task = ? ORDER BY container, position",
        task
    )
    .fetch_all(&mut *connection)
    .await?;
    let resources = sqlx::query_as!(
        ResourceRow,
        "SELECT kind, name, status, retry_step, retry_failures, retry_not_before, retry_reason_name,
             retry_reason_message
         FROM resources WHERE task = ? ORDER BY kind, name",
        task
    )
    .fetch_all(&mut *connection)
    .await?;
    let conditions = sqlx::query_as!(
        ConditionRow,
        "SELECT position, container, cause, message, since, deadline, next_action, next_at
         FROM conditions WHERE task = ? ORDER BY position",
        task
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(KnownRows {
        task: known,
        containers: container_rows(&mut *connection, task).await?,
        bindings,
        reservations,
        resources,
        conditions,
        networks: network_rows(&mut *connection, task).await?,
        mounts: mount_rows(connection, task).await?,
    })
}

async fn container_rows(
    connection: &mut SqliteConnection,
    task: i64,
) -> sqlx::Result<Vec<ContainerRow>> {
    sqlx::query_as!(
        ContainerRow,
        r#"SELECT name, status, attempt, docker_id, image_id, image_digest, started_at, running_since, exit_at,
               exit_code, exit_oom_killed AS "exit_oom_killed: bool", reason_name, reason_message, health,
               health_since, restart_count, last_restart_at, stop_requested_at,
               degraded_log AS "degraded_log: bool", settles_at, retry_step, retry_failures, retry_not_before,
               retry_reason_name, retry_reason_message, removed AS "removed: bool", created_at,
               probe_exit_code, probe_output
           FROM containers WHERE task = ? ORDER BY name"#,
        task
    )
    .fetch_all(connection)
    .await
}

async fn network_rows(
    connection: &mut SqliteConnection,
    task: i64,
) -> sqlx::Result<Vec<NetworkRow>> {
    sqlx::query_as!(
        NetworkRow,
        "SELECT container, position, name, ipv4, ipv4_prefix, ipv4_gateway, ipv6, ipv6_prefix, ipv6_gateway, mac
         FROM networks WHERE task = ? ORDER BY container, position",
        task
    )
    .fetch_all(connection)
    .await
}

async fn mount_rows(connection: &mut SqliteConnection, task: i64) -> sqlx::Result<Vec<MountRow>> {
    sqlx::query_as!(
        MountRow,
        "SELECT container, position, name, source, destination
         FROM mounts WHERE task = ? ORDER BY container, position",
        task
    )
    .fetch_all(connection)
    .await
}

async fn clear(connection: &mut SqliteConnection, task: i64) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM containers WHERE task = ?", task)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM bindings WHERE task = ?", task)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM reservations WHERE task = ?", task)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM networks WHERE task = ?", task)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM mounts WHERE task = ?", task)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM resources WHERE task = ?", task)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM conditions WHERE task = ?", task)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

async fn put_task(
    connection: &mut SqliteConnection,
    task: i64,
    row: &KnownRow,
    checksum: Option<i64>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE known_tasks SET status = ?, observed_generation = ?, admitted_at = ?, stop_name = ?,
             stop_message = ?, stop_at = ?, pull_started_at = ?, pull_stopped_at = ?, started_at = ?,
             execution_stopped_at = ?, stopped_at = ?, reported = ?, reported_containers = ?, checksum = ?
         WHERE task = ?",
        row.status,
        row.observed_generation,
        row.admitted_at,
        row.stop_name,
        row.stop_message,
        row.stop_at,
        row.pull_started_at,
        row.pull_stopped_at,
        row.started_at,
        row.execution_stopped_at,
        row.stopped_at,
        row.reported,
        row.reported_containers,
        checksum,
        task,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_container(
    connection: &mut SqliteConnection,
    task: i64,
    row: &ContainerRow,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO containers (task, name, status, attempt, docker_id, image_id, image_digest, started_at,
             running_since, exit_at, exit_code, exit_oom_killed, reason_name, reason_message, health, health_since,
             restart_count, last_restart_at, stop_requested_at, degraded_log, settles_at, retry_step,
             retry_failures, retry_not_before, retry_reason_name, retry_reason_message, removed, created_at,
             probe_exit_code, probe_output)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        task,
        row.name,
        row.status,
        row.attempt,
        row.docker_id,
        row.image_id,
        row.image_digest,
        row.started_at,
        row.running_since,
        row.exit_at,
        row.exit_code,
        row.exit_oom_killed,
        row.reason_name,
        row.reason_message,
        row.health,
        row.health_since,
        row.restart_count,
        row.last_restart_at,
        row.stop_requested_at,
        row.degraded_log,
        row.settles_at,
        row.retry_step,
        row.retry_failures,
        row.retry_not_before,
        row.retry_reason_name,
        row.retry_reason_message,
        row.removed,
        row.created_at,
        row.probe_exit_code,
        row.probe_output,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_network(
    connection: &mut SqliteConnection,
    task: i64,
    row: &NetworkRow,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO networks (task, container, position, name, ipv4, ipv4_prefix, ipv4_gateway, ipv6, ipv6_prefix,
             ipv6_gateway, mac)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        task,
        row.container,
        row.position,
        row.name,
        row.ipv4,
        row.ipv4_prefix,
        row.ipv4_gateway,
        row.ipv6,
        row.ipv6_prefix,
        row.ipv6_gateway,
        row.mac,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_mount(
    connection: &mut SqliteConnection,
    task: i64,
    row: &MountRow,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO mounts (task, container, position, name, source, destination) VALUES (?, ?, ?, ?, ?, ?)",
        task,
        row.container,
        row.position,
        row.name,
        row.source,
        row.destination,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_binding(
    connection: &mut SqliteConnection,
    task: i64,
    row: &BindingRow,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO bindings (task, container, position, container_port, protocol, bind_ip, host_port)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        task,
        row.container,
        row.position,
        row.container_port,
        row.protocol,
        row.bind_ip,
        row.host_port,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_reservation(
    connection: &mut SqliteConnection,
    task: i64,
    row: &ReservationRow,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO reservations (task, container, position, mapping, first_host_port, count, protocol)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        task,
        row.container,
        row.position,
        row.mapping,
        row.first_host_port,
        row.count,
        row.protocol,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_resource(
    connection: &mut SqliteConnection,
    task: i64,
    row: &ResourceRow,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO resources (task, kind, name, status, retry_step, retry_failures, retry_not_before,
             retry_reason_name, retry_reason_message)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        task,
        row.kind,
        row.name,
        row.status,
        row.retry_step,
        row.retry_failures,
        row.retry_not_before,
        row.retry_reason_name,
        row.retry_reason_message,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_condition(
    connection: &mut SqliteConnection,
    task: i64,
    row: &ConditionRow,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO conditions (task, position, container, cause, message, since, deadline, next_action, next_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        task,
        row.position,
        row.container,
        row.cause,
        row.message,
        row.since,
        row.deadline,
        row.next_action,
        row.next_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}
