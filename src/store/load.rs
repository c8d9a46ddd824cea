//! Reading everything at start: each task by itself, so that one that cannot be read leaves the others alone.
//!
//! **Invariant.** Reading changes nothing; setting aside what was bad is a second step, and one that may fail.

use sqlx::SqliteConnection;

use super::checksum::Checksums;
use super::error::{ReadError, RowError};
use super::{desired, draining, images, known, quarantine};
use crate::boundary::store::{Damage, ImageRecord};
use crate::domain::draining::Draining;
use crate::domain::ids::{TaskArn, UnixMillis};
use crate::domain::task::Task;
use crate::error::ErrorChain;

/// What was read, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub tasks: Vec<Task>,
    pub images: Vec<ImageRecord>,
    pub draining: Option<Draining>,
    pub bad: Vec<Bad>,
}

/// Something that could not be read.
#[derive(Debug)]
pub(super) struct Bad {
    what: What,
    /// What it belonged to, in words.
    subject: String,
    task: Option<TaskArn>,
    error: RowError,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Task(i64),
    Image(i64),
}

/// Reads all tasks and images.
///
/// # Errors
/// Those of the file as a whole.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    checksums: Checksums,
) -> sqlx::Result<Read> {
    let mut read = Read::default();
    for id in desired::table::ids(connection).await? {
        match task(connection, id, checksums).await {
            Ok(task) => read.tasks.push(task),
            Err(ReadError::Row(error)) => {
                let bad = bad_task(connection, id, error).await?;
                read.bad.push(bad);
            }
            Err(ReadError::File(error)) => return Err(error),
        }
    }
    for id in images::ids(connection).await? {
        match images::get(connection, id, checksums).await {
            Ok(image) => read.images.push(image),
            Err(ReadError::Row(error)) => read.bad.push(Bad {
                what: What::Image(id),
                subject: format!("image {id}"),
                task: None,
                error,
            }),
            Err(ReadError::File(error)) => return Err(error),
        }
    }
    read.draining = draining::get(connection).await?;
    read.tasks.sort_by(|a, b| a.arn().cmp(b.arn()));
    read.images.sort_by(|a, b| a.reference.cmp(&b.reference));
    Ok(read)
}

/// Moves what was bad into the quarantine, and rows that hang on no task. Returns a line for each.
pub(super) async fn set_aside(
    connection: &mut SqliteConnection,
    bad: &[Bad],
    now: UnixMillis,
) -> sqlx::Result<Vec<Damage>> {
    let mut damage = Vec::new();
    for bad in bad {
        let why = ErrorChain(&bad.error).to_string();
        let content = match bad.what {
            What::Task(id) => quarantine::dump_task(connection, id).await?,
            What::Image(id) => quarantine::dump_image(connection, id).await?,
        };
        quarantine::put(connection, now, &bad.subject, &why, &content).await?;
        match bad.what {
            What::Task(id) => desired::table::remove(connection, id).await?,
            What::Image(id) => images::remove(connection, id).await?,
        }
        damage.push(line(bad, "was set aside"));
    }
    for (table, content) in quarantine::dump_strays(connection).await? {
        let why = "they belong to no task";
        quarantine::put(connection, now, table, why, &content).await?;
        damage.push(Damage {
            task: None,
            message: format!("rows of {table} were set aside: {why}"),
        });
    }
    quarantine::remove_strays(connection).await?;
    Ok(damage)
}

/// What could not be read, for when it cannot even be set aside.
pub(super) fn left_in_place(bad: &[Bad]) -> Vec<Damage> {
    bad.iter()
        .map(|bad| line(bad, "was left in place"))
        .collect()
}

fn line(bad: &Bad, fate: &str) -> Damage {
    Damage {
        task: bad.task.clone(),
        message: format!(
            "{} could not be read and {fate}: {}",
            bad.subject,
            ErrorChain(&bad.error)
        ),
    }
}

async fn task(
    connection: &mut SqliteConnection,
    id: i64,
    checksums: Checksums,
) -> Result<Task, ReadError> {
    let desired = desired::table::get(connection, id, checksums).await?;
    let known = known::table::get(connection, id, checksums).await?;
    Ok(Task { desired, known })
}

async fn bad_task(
    connection: &mut SqliteConnection,
    id: i64,
    error: RowError,
) -> sqlx::Result<Bad> {
    let bytes = desired::table::arn_bytes(connection, id).await?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(Bad {
        what: What::Task(id),
        subject: format!("task {text}"),
        task: TaskArn::parse(&text).ok(),
        error,
    })
}
