//! Older and newer agents on one file.

use super::world::{World, new_task, two_tasks};
use crate::boundary::TaskStore as _;
use crate::boundary::store::Loaded;
use crate::domain::draining::Draining;
use crate::domain::ids::UnixMillis;
use crate::domain::task::{EcsFacts, Reported, Task};
use crate::domain::task_ids::TaskIds;

/// What a later version may do: a column, a table, and its line in the record of migrations. The checksum of a row
/// that it has written covers the new column.
const LATER: &str = "
    ALTER TABLE tasks ADD COLUMN colour TEXT;
    CREATE TABLE colours (name TEXT PRIMARY KEY) STRICT;
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'colours', 1, x'00', 1);
    UPDATE tasks SET colour = 'red', checksum = 1 WHERE id = 1;";

#[tokio::test]
async fn a_newer_schema_that_only_adds_is_used() {
    let world = World::new();
    let (changes, tasks) = two_tasks();
    world.write(&changes).await;
    world.sql(LATER).await;
    let (notes, loaded) = world.load().await;
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!((loaded.tasks, loaded.damage), (tasks.to_vec(), vec![]));
}

#[tokio::test]
async fn what_is_written_into_a_newer_schema_keeps_its_columns_and_has_no_checksum() {
    let world = World::new();
    let (changes, tasks) = two_tasks();
    world.write(&changes).await;
    world.sql(LATER).await;
    world.write(&changes).await;
    let kept: String = world.value("SELECT colour FROM tasks WHERE id = 1").await;
    assert_eq!(kept, "red");
    let checksum: Option<i64> = world.value("SELECT checksum FROM tasks WHERE id = 1").await;
    assert_eq!(checksum, None);
    assert_eq!(world.load().await.1.tasks, tasks);
}

#[tokio::test]
async fn a_schema_that_asks_for_a_newer_reader_is_set_aside() {
    let world = World::new();
    world.write(&[new_task("a")]).await;
    world.sql("PRAGMA user_version = 2").await;
    let (notes, loaded) = world.load().await;
    assert_eq!(loaded.tasks, []);
    assert!(
        notes[0].ends_with(
            "it was written by a later version of the agent and needs reader 2, this is 1"
        ),
        "{notes:?}"
    );
}

/// A task as the first schema could keep it.
fn as_of_0001(mut task: Task) -> Task {
    task.desired.ids = TaskIds::default();
    task = as_of_0003(task);
    for container in task.known.containers.values_mut() {
        container.created_at = None;
        container.probe = None;
        container.networks.clear();
        container.mounts.clear();
    }
    task
}

/// What is read of a database that an older agent has left.
async fn loaded_from(fixture: &'static str) -> Loaded {
    let world = World::new();
    std::fs::create_dir(world.directory()).unwrap();
    std::fs::write(world.file("berth.db"), "").unwrap();
    world.sql(fixture).await;
    let (notes, loaded) = world.load().await;
    assert!(notes.is_empty(), "{notes:?}");
    loaded
}

/// A database with what ECS has acknowledged, which came fourth.
#[tokio::test]
async fn the_fourth_schema_is_still_read() {
    let loaded = loaded_from(include_str!("../../../migrations/fixtures/0004.sql")).await;
    let (_, tasks) = two_tasks();
    assert_eq!(
        (loaded.tasks, loaded.damage),
        (tasks.map(as_of_0004).to_vec(), vec![])
    );
}

/// A database of an instance that drains, which came third.
#[tokio::test]
async fn the_third_schema_is_still_read() {
    let loaded = loaded_from(include_str!("../../../migrations/fixtures/0003.sql")).await;
    let (_, tasks) = two_tasks();
    let tasks = tasks.map(as_of_0003);
    assert_eq!((loaded.tasks, loaded.damage), (tasks.to_vec(), vec![]));
    let draining = Draining {
        since: UnixMillis(50),
        reason: "a new kernel".to_owned(),
    };
    assert_eq!(loaded.draining, Some(draining));
}

/// What is in the row are words: the draining itself is that the row is there.
#[tokio::test]
async fn words_that_are_no_text_do_not_end_the_draining() {
    let world = World::new();
    world.write(&[new_task("a")]).await;
    world
        .sql("INSERT INTO draining VALUES (1, 50, CAST(x'61ff' AS TEXT))")
        .await;
    let (_, loaded) = world.load().await;
    assert_eq!(
        loaded.draining.map(|draining| draining.reason),
        Some("a\u{fffd}".to_owned())
    );
}

/// What is there of a task before the control plane could acknowledge anything.
fn as_of_0003(mut task: Task) -> Task {
    task.known.reported = Reported::default();
    as_of_0004(task)
}

fn as_of_0004(mut task: Task) -> Task {
    task.desired.ecs = EcsFacts::default();
    task
}

/// A database with the ids and facts that came second.
#[tokio::test]
async fn the_second_schema_is_still_read() {
    let loaded = loaded_from(include_str!("../../../migrations/fixtures/0002.sql")).await;
    let (_, tasks) = two_tasks();
    assert_eq!(
        (loaded.tasks, loaded.damage),
        (tasks.map(as_of_0003).to_vec(), vec![])
    );
}

/// A database as the first release made it. New migrations must bring it to the present with its tasks; the fixture
/// is never written again.
#[tokio::test]
async fn the_first_schema_is_still_read() {
    let world = World::new();
    std::fs::create_dir(world.directory()).unwrap();
    std::fs::write(world.file("berth.db"), "").unwrap();
    world
        .sql(include_str!("../../../migrations/fixtures/0001.sql"))
        .await;
    let opened = world.open().await;
    assert_eq!(opened.damage, []);
    let loaded = opened.store.load().await.unwrap();
    assert_eq!(loaded.damage, []);
    let (_, tasks) = two_tasks();
    assert_eq!(loaded.tasks, tasks.map(as_of_0001));
    assert_eq!(loaded.images.len(), 1);
    let events = opened.store.events_after(None, 0, 10).await.unwrap();
    assert_eq!(events.len(), 1);
}
