//! A start that is killed on the way is finished by the next one: what was lost is still named, the store still counts
//! as fresh, and numbers of events are still not given twice.

use std::fs;

use super::world::{NOW, World, new_task};
use crate::boundary::TaskStore as _;
use crate::boundary::store::Change;
use crate::testing::store_contract::{arn, event};

async fn next_sequence(world: &World) -> i64 {
    let store = world.open().await.store;
    let one = [Change::Event(event("a", "Next"))];
    let sequence = store.commit(&one).await.unwrap();
    store.close().await;
    sequence
}

fn lost_name() -> String {
    format!("berth.db.damaged-{}", NOW.0)
}

/// A data directory where a database was just set aside.
fn after_the_rename() -> World {
    let world = World::new();
    fs::create_dir(world.directory()).unwrap();
    fs::write(world.file(&lost_name()), "lost").unwrap();
    world
}

async fn check(world: &World, killed: &str) {
    let opened = world.open().await;
    assert!(opened.fresh, "{killed}");
    let messages: Vec<_> = opened.damage.into_iter().map(|it| it.message).collect();
    let name = lost_name();
    let expected = format!("an earlier database could not be used and is kept as {name}");
    assert_eq!(messages, [expected], "{killed}");
    opened.store.close().await;
    assert_eq!(next_sequence(world).await, NOW.0 + 1, "{killed}");

    let opened = world.open().await;
    assert!(!opened.fresh && opened.damage.is_empty(), "{killed}");
}

#[tokio::test]
async fn a_lost_file_is_named_until_something_is_committed() {
    check(&after_the_rename(), "before the new file").await;

    let world = after_the_rename();
    fs::write(world.file("berth.db"), "").unwrap();
    world.sql("PRAGMA journal_mode = WAL").await;
    check(&world, "before the schema").await;

    let world = after_the_rename();
    world.open().await.store.close().await;
    check(&world, "before the first commit").await;
}

#[tokio::test]
async fn a_store_is_fresh_until_something_is_committed() {
    let world = World::new();
    for _ in 0..2 {
        let opened = world.open().await;
        assert!(opened.fresh);
        assert_eq!(opened.damage, []);
        opened.store.close().await;
    }
    let put = [new_task("a"), Change::Event(event("a", "New"))];
    world.write(&put).await;
    assert!(!world.open().await.fresh);
    world.write(&[Change::Forget(arn("a"))]).await;
    assert!(!world.open().await.fresh, "its events tell of it");
}

#[tokio::test]
async fn a_log_without_its_database_is_kept_under_another_name() {
    let (world, snapshot) = (World::new(), World::new());
    let store = world.open().await.store;
    store.commit(&[new_task("a")]).await.unwrap();
    fs::create_dir(snapshot.directory()).unwrap();
    let log = fs::read(world.file("berth.db-wal")).unwrap();
    fs::write(snapshot.file("berth.db-wal"), &log).unwrap();

    let opened = snapshot.open().await;
    assert!(opened.fresh);
    let name = format!("berth.db-wal.damaged-{}", NOW.0);
    let messages: Vec<_> = opened.damage.into_iter().map(|it| it.message).collect();
    assert_eq!(
        messages,
        [format!(
            "the write-ahead log has no database and was renamed to {name}: the latest changes may be lost"
        )]
    );
    assert_eq!(fs::read(snapshot.file(&name)).unwrap(), log);
    opened.store.close().await;
    assert_eq!(next_sequence(&snapshot).await, NOW.0 + 1);
}

#[tokio::test]
async fn numbers_go_on_after_a_lost_log() {
    let world = World::new();
    world.write(&[Change::Event(event("a", "Old"))]).await;
    fs::write(world.file("berth.db-wal"), "garbage".repeat(100)).unwrap();
    assert_eq!(next_sequence(&world).await, NOW.0 + 1);
    assert_eq!(next_sequence(&world).await, NOW.0 + 2);
}

#[tokio::test]
async fn an_index_of_the_log_that_is_garbage_does_no_harm() {
    let world = World::new();
    let store = world.open().await.store;
    store.commit(&[new_task("a")]).await.unwrap();
    for length in [1, 4096, 32_768, 65_536] {
        let snapshot = World::new();
        fs::create_dir(snapshot.directory()).unwrap();
        for name in ["berth.db", "berth.db-wal"] {
            fs::copy(world.file(name), snapshot.file(name)).unwrap();
        }
        fs::write(snapshot.file("berth.db-shm"), vec![0x5a; length]).unwrap();
        let (notes, loaded) = snapshot.load().await;
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(loaded.tasks.len(), 1, "{length} bytes");
    }
}
