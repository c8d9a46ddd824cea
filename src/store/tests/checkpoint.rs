//! The write-ahead log goes into the database beside the commits, not in them.

use std::fs;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::world::{World, new_task};
use crate::boundary::TaskStore as _;
use crate::boundary::store::Change;
use crate::store::SqliteStore;
use crate::testing::store_contract::event;

/// As many as make a checkpoint due, and some more.
async fn commit_many(store: &SqliteStore) {
    for index in 0..150 {
        let message = format!("{index} {}", "x".repeat(1000));
        let changes = [new_task("a"), Change::Event(event("a", &message))];
        store.commit(&changes).await.unwrap();
    }
}

#[tokio::test]
async fn no_commit_moves_the_log_and_the_component_does() {
    let world = World::new();
    let opened = world.open().await;
    let database = || fs::metadata(world.file("berth.db")).unwrap().len();
    let before = database();
    commit_many(&opened.store).await;
    assert_eq!(database(), before, "a commit wrote into the database");
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    running.spawn(opened.checkpoints.run(stop.clone()));
    while database() <= before {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    stop.cancel();
    running.join_next().await.unwrap().unwrap();
    opened.store.close().await;
    assert_eq!(world.load().await.1.tasks.len(), 1);
}
