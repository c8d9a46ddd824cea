//! The table `known_tasks` and those that hang on it.
//!
//! Known state is written whole: what a task had before is deleted first.

use sqlx::SqliteConnection;

use super::rows::{
    BindingRow, ConditionRow, ContainerRow, KnownRow, KnownRows, MountRow, NetworkRow,
    ReservationRow, ResourceRow,
};
use crate::domain::ids::TaskArn;
use crate::domain::task::KnownTask;
use crate::store::checksum::Checksums;
use crate::store::error::{ReadError, RowError};
use crate::store::fields::json;

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

/// Writes the known state of a task; of one that is not there nothing. Each call of the connection's thread is two waits
/// for the processor, which is busiest when something has ended: so these are two calls, whatever there is to write.
pub(in crate::store) async fn put(
    connection: &mut SqliteConnection,
    arn: &TaskArn,
    known: &KnownTask,
    checksums: Checksums,
) -> sqlx::Result<()> {
    let rows = KnownRows::from(known);
    let checksum = checksums.of(&rows);
    replace(connection, arn.as_str(), &rows.task, checksum).await?;
    hang(connection, arn.as_str(), &rows).await
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

/// Replaces the task's own row and deletes those that hang on it.
async fn replace(
    connection: &mut SqliteConnection,
    arn: &str,
    row: &KnownRow,
    checksum: Option<i64>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM containers WHERE task = (SELECT id FROM tasks WHERE arn = ?);
         DELETE FROM bindings WHERE task = (SELECT id FROM tasks WHERE arn = ?);
         DELETE FROM reservations WHERE task = (SELECT id FROM tasks WHERE arn = ?);
         DELETE FROM networks WHERE task = (SELECT id FROM tasks WHERE arn = ?);
         DELETE FROM mounts WHERE task = (SELECT id FROM tasks WHERE arn = ?);
         DELETE FROM resources WHERE task = (SELECT id FROM tasks WHERE arn = ?);
         DELETE FROM conditions WHERE task = (SELECT id FROM tasks WHERE arn = ?);
         UPDATE known_tasks SET status = ?, observed_generation = ?, admitted_at = ?, stop_name = ?,
             stop_message = ?, stop_at = ?, pull_started_at = ?, pull_stopped_at = ?, started_at = ?,
             execution_stopped_at = ?, stopped_at = ?, reported = ?, reported_containers = ?, checksum = ?
         WHERE task = (SELECT id FROM tasks WHERE arn = ?)",
        arn,
        arn,
        arn,
        arn,
        arn,
        arn,
        arn,
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
        arn,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes the rows that hang on the task's own. They go as JSON, one text a table, so that their number does not matter.
async fn hang(connection: &mut SqliteConnection, arn: &str, rows: &KnownRows) -> sqlx::Result<()> {
    let texts = Texts::try_from(rows)?;
    sqlx::query!(
        "INSERT INTO containers (task, name, status, attempt, docker_id, image_id, image_digest, started_at,
             running_since, exit_at,
             exit_code, exit_oom_killed, reason_name, reason_message, health, health_since, restart_count,
             last_restart_at, stop_requested_at, degraded_log, settles_at, retry_step, retry_failures,
             retry_not_before, retry_reason_name, retry_reason_message, removed, created_at, probe_exit_code,
             probe_output)
         SELECT tasks.id, value->>'name', value->>'status', value->>'attempt', value->>'docker_id', value->>'image_id',
             value->>'image_digest', value->>'started_at', value->>'running_since', value->>'exit_at',
             value->>'exit_code', value->>'exit_oom_killed', value->>'reason_name', value->>'reason_message',
             value->>'health', value->>'health_since', value->>'restart_count', value->>'last_restart_at',
             value->>'stop_requested_at', value->>'degraded_log', value->>'settles_at', value->>'retry_step',
             value->>'retry_failures', value->>'retry_not_before', value->>'retry_reason_name',
             value->>'retry_reason_message', value->>'removed', value->>'created_at', value->>'probe_exit_code',
             value->>'probe_output'
         FROM tasks, json_each(?) WHERE arn = ?;
         INSERT INTO bindings (task, container, position, container_port, protocol, bind_ip, host_port)
         SELECT tasks.id, value->>'container', value->>'position', value->>'container_port', value->>'protocol',
             value->>'bind_ip', value->>'host_port'
         FROM tasks, json_each(?) WHERE arn = ?;
         INSERT INTO reservations (task, container, position, mapping, first_host_port, count, protocol)
         SELECT tasks.id, value->>'container', value->>'position', value->>'mapping', value->>'first_host_port',
             value->>'count', value->>'protocol'
         FROM tasks, json_each(?) WHERE arn = ?;
         INSERT INTO networks (task, container, position, name, ipv4, ipv4_prefix, ipv4_gateway, ipv6, ipv6_prefix,
             ipv6_gateway, mac)
         SELECT tasks.id, value->>'container', value->>'position', value->>'name', value->>'ipv4',
             value->>'ipv4_prefix',
             value->>'ipv4_gateway', value->>'ipv6', value->>'ipv6_prefix', value->>'ipv6_gateway', value->>'mac'
         FROM tasks, json_each(?) WHERE arn = ?;
         INSERT INTO mounts (task, container, position, name, source, destination)
         SELECT tasks.id, value->>'container', value->>'position', value->>'name', value->>'source',
             value->>'destination'
         FROM tasks, json_each(?) WHERE arn = ?;
         INSERT INTO resources (task, kind, name, status, retry_step, retry_failures, retry_not_before,
             retry_reason_name,
             retry_reason_message)
         SELECT tasks.id, value->>'kind', value->>'name', value->>'status', value->>'retry_step',
             value->>'retry_failures',
             value->>'retry_not_before', value->>'retry_reason_name', value->>'retry_reason_message'
         FROM tasks, json_each(?) WHERE arn = ?;
         INSERT INTO conditions (task, position, container, cause, message, since, deadline, next_action, next_at)
         SELECT tasks.id, value->>'position', value->>'container', value->>'cause', value->>'message', value->>'since',
             value->>'deadline', value->>'next_action', value->>'next_at'
         FROM tasks, json_each(?) WHERE arn = ?",
        texts.containers,
        arn,
        texts.bindings,
        arn,
        texts.reservations,
        arn,
        texts.networks,
        arn,
        texts.mounts,
        arn,
        texts.resources,
        arn,
        texts.conditions,
        arn,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The rows of each table as JSON.
struct Texts {
    containers: String,
    bindings: String,
    reservations: String,
    networks: String,
    mounts: String,
    resources: String,
    conditions: String,
}

impl TryFrom<&KnownRows> for Texts {
    type Error = sqlx::Error;

    fn try_from(rows: &KnownRows) -> sqlx::Result<Self> {
        Ok(Self {
            containers: json(&rows.containers)?,
            bindings: json(&rows.bindings)?,
            reservations: json(&rows.reservations)?,
            networks: json(&rows.networks)?,
            mounts: json(&rows.mounts)?,
            resources: json(&rows.resources)?,
            conditions: json(&rows.conditions)?,
        })
    }
}
