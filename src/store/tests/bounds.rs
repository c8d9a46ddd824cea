//! Sizes, numbers, modes.

use super::world::{World, changes_of, new_task, two_tasks};
use crate::boundary::TaskStore as _;
use crate::boundary::store::Change;
use crate::domain::task::Task;
use crate::store::events::MAX_EVENTS;
use crate::testing::store_contract::{arn, event};

/// So many events of tasks that have one each, written behind the store's back.
async fn fill(world: &World, number: i64) {
    world
        .sql(&format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})
             INSERT INTO events (arn, at, kind, message)
             SELECT 'arn:aws:ecs:local:000000000000:task/default/t' || i, i, 'Old', '' FROM n"
        ))
        .await;
}

#[tokio::test]
async fn all_timelines_together_have_a_bound() {
    let world = World::new();
    world.write(&[]).await;
    fill(&world, MAX_EVENTS - 1).await;
    let store = world.open().await.store;
    let oldest = async || {
        let events = store.events_after(None, 0, 1).await.unwrap();
        events[0].sequence
    };
    let one = [Change::Event(event("a", "New"))];
    assert_eq!(store.commit(&one).await.unwrap(), MAX_EVENTS);
    assert_eq!(oldest().await, 1);
    let two = [one.clone(), one].concat();
    assert_eq!(store.commit(&two).await.unwrap(), MAX_EVENTS + 2);
    assert_eq!(oldest().await, 3);
    assert_eq!(store.commit(&two).await.unwrap(), MAX_EVENTS + 4);
    assert_eq!(oldest().await, 5);
}

#[tokio::test]
async fn sequence_numbers_are_not_given_twice() {
    let world = World::new();
    let one = [Change::Event(event("a", "One"))];
    let two = [one.clone(), one.clone()].concat();
    world.write(&two).await;
    world.sql("DELETE FROM events").await;
    let store = world.open().await.store;
    assert_eq!(store.commit(&one).await.unwrap(), 3);
}

#[tokio::test]
async fn a_thousand_tasks_are_one_commit() {
    let world = World::new();
    let store = world.open().await.store;
    let tasks: Vec<Task> = (0..1000)
        .map(|number| {
            let (_, [mut task, _]) = two_tasks();
            task.desired.arn = arn(&format!("{number:04}"));
            task
        })
        .collect();
    store.commit(&changes_of(&tasks)).await.unwrap();
    assert_eq!(store.load().await.unwrap().tasks, tasks);
}

#[tokio::test]
async fn commits_and_reads_at_the_same_time_do_not_fail_each_other() {
    let world = World::new();
    let store = world.open().await.store;
    let tasks: Vec<String> = (0..20).map(|number| format!("t{number}")).collect();
    let commits = tasks.iter().map(async |id| {
        let changes = [new_task(id), Change::Event(event(id, "New"))];
        store.commit(&changes).await.unwrap()
    });
    let reads = (0..20).map(async |_| store.events_after(None, 0, 100).await.unwrap().len());
    let (sequences, _) = tokio::join!(
        futures_util::future::join_all(commits),
        futures_util::future::join_all(reads)
    );
    let mut sorted = sequences.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=20).collect::<Vec<i64>>());
    assert_eq!(store.load().await.unwrap().tasks.len(), 20);
}

#[tokio::test]
async fn a_commit_that_is_dropped_leaves_a_store_that_works() {
    let world = World::new();
    let store = world.open().await.store;
    let (changes, tasks) = two_tasks();
    for polls in 0..40 {
        let mut commit = std::pin::pin!(store.commit(&changes));
        for _ in 0..polls {
            if futures_util::poll!(commit.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    store.commit(&changes).await.unwrap();
    assert_eq!(store.load().await.unwrap().tasks, tasks);
}

#[tokio::test]
async fn closing_leaves_one_file() {
    let world = World::new();
    world.write(&[new_task("a")]).await;
    assert_eq!(world.names(), ["berth.db"]);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let store = world.open().await.store;
    store.commit(&[new_task("a")]).await.unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.directory()), 0o700);
    for name in world.names() {
        assert_eq!(mode(world.file(&name)), 0o600, "{name}");
    }
}
