//! Rows that could not be read, moved as text into `quarantine` for people to look at.
//!
//! **Invariant.** Nothing here is ever read back by the agent, so nothing here can be damaged in a way that matters.

use serde_json::{Map, Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Row as _, SqliteConnection, TypeInfo as _, ValueRef as _};

use crate::domain::ids::UnixMillis;

/// Most entries kept; the oldest go first.
const MAX_ENTRIES: i64 = 200;

/// What a task consists of: each statement gives rows of one table, by the task's id.
const TASK_TABLES: [(&str, &str); 9] = [
    ("tasks", "SELECT * FROM tasks WHERE id = ?"),
    ("known_tasks", "SELECT * FROM known_tasks WHERE task = ?"),
    ("containers", "SELECT * FROM containers WHERE task = ?"),
    ("bindings", "SELECT * FROM bindings WHERE task = ?"),
    ("networks", "SELECT * FROM networks WHERE task = ?"),
    ("mounts", "SELECT * FROM mounts WHERE task = ?"),
    ("reservations", "SELECT * FROM reservations WHERE task = ?"),
    ("resources", "SELECT * FROM resources WHERE task = ?"),
    ("conditions", "SELECT * FROM conditions WHERE task = ?"),
];

/// What hangs on tasks that are not there: how to find it, and how to remove it.
const STRAYS: [(&str, &str, &str); 8] = [
    (
        "known_tasks",
        "SELECT * FROM known_tasks WHERE task NOT IN (SELECT id FROM tasks) LIMIT 100",
        "DELETE FROM known_tasks WHERE task NOT IN (SELECT id FROM tasks)",
    ),
    (
        "containers",
        "SELECT * FROM containers WHERE task NOT IN (SELECT id FROM tasks) LIMIT 100",
        "DELETE FROM containers WHERE task NOT IN (SELECT id FROM tasks)",
    ),
    (
        "bindings",
        "SELECT * FROM bindings WHERE task NOT IN (SELECT id FROM tasks) LIMIT 100",
        "DELETE FROM bindings WHERE task NOT IN (SELECT id FROM tasks)",
    ),
    (
        "networks",
        "SELECT * FROM networks WHERE task NOT IN (SELECT id FROM tasks) LIMIT 100",
        "DELETE FROM networks WHERE task NOT IN (SELECT id FROM tasks)",
    ),
    (
        "mounts",
        "SELECT * FROM mounts WHERE task NOT IN (SELECT id FROM tasks) LIMIT 100",
        "DELETE FROM mounts WHERE task NOT IN (SELECT id FROM tasks)",
    ),
    (
        "reservations",
        "SELECT * FROM reservations WHERE task NOT IN (SELECT id FROM tasks) LIMIT 100",
        "DELETE FROM reservations WHERE task NOT IN (SELECT id FROM tasks)",
    ),
    (
        "resources",
        "SELECT * FROM resources WHERE task NOT IN (SELECT id FROM tasks) LIMIT 100",
        "DELETE FROM resources WHERE task NOT IN (SELECT id FROM tasks)",
    ),
    (
        "conditions",
        "SELECT * FROM conditions WHERE task NOT IN (SELECT id FROM tasks) LIMIT 100",
        "DELETE FROM conditions WHERE task NOT IN (SELECT id FROM tasks)",
    ),
];

/// The rows of a task as text.
pub(super) async fn dump_task(connection: &mut SqliteConnection, id: i64) -> sqlx::Result<String> {
    let mut tables = Map::new();
    for (table, select) in TASK_TABLES {
        let rows = sqlx::query(select)
            .bind(id)
            .fetch_all(&mut *connection)
            .await?;
        tables.insert(table.to_owned(), rows.iter().map(object).collect());
    }
    Ok(Value::Object(tables).to_string())
}

/// The row of an image as text.
pub(super) async fn dump_image(connection: &mut SqliteConnection, id: i64) -> sqlx::Result<String> {
    let row = sqlx::query("SELECT * FROM images WHERE id = ?")
        .bind(id)
        .fetch_one(connection)
        .await?;
    Ok(object(&row).to_string())
}

/// Rows that hang on no task, as text by table; empty unless somebody wrote with another program, or damage changed
/// the id of a task.
pub(super) async fn dump_strays(
    connection: &mut SqliteConnection,
) -> sqlx::Result<Vec<(&'static str, String)>> {
    let mut found = Vec::new();
    for (table, select, _) in STRAYS {
        let rows = sqlx::query(select).fetch_all(&mut *connection).await?;
        if !rows.is_empty() {
            let rows: Value = rows.iter().map(object).collect();
            found.push((table, rows.to_string()));
        }
    }
    Ok(found)
}

/// Removes the rows that hang on no task.
pub(super) async fn remove_strays(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    for (_, _, delete) in STRAYS {
        sqlx::query(delete).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Writes an entry.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    at: UnixMillis,
    subject: &str,
    why: &str,
    content: &str,
) -> sqlx::Result<()> {
    let at = at.0;
    sqlx::query!(
        "INSERT INTO quarantine (at, subject, why, content) VALUES (?, ?, ?, ?)",
        at,
        subject,
        why,
        content,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "DELETE FROM quarantine WHERE id <= (SELECT id FROM quarantine ORDER BY id DESC LIMIT 1 OFFSET ?)",
        MAX_ENTRIES
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn object(row: &SqliteRow) -> Value {
    row.columns()
        .iter()
        .map(|column| (column.name().to_owned(), field(row, column.ordinal())))
        .collect()
}

/// The value as it is; what is not UTF-8 with replacement characters.
fn field(row: &SqliteRow, at: usize) -> Value {
    let Ok(raw) = row.try_get_raw(at) else {
        return Value::Null;
    };
    if raw.is_null() {
        return Value::Null;
    }
    if raw.type_info().name() == "INTEGER" {
        return row.try_get::<i64, _>(at).map_or(Value::Null, Value::from);
    }
    row.try_get_unchecked::<Vec<u8>, _>(at)
        .map_or(Value::Null, |bytes| json!(String::from_utf8_lossy(&bytes)))
}
