//! What is wrong around the file is an error with a kind, changes nothing, and passes when its cause does.

use std::fs;
use std::sync::Arc;

use super::world::{World, changes_of, new_task, two_tasks};
use crate::boundary::store::{Change, ImageRecord};
use crate::boundary::{ErrorKind, TaskStore as _};
use crate::domain::ids::UnixMillis;
use crate::domain::task::Task;
use crate::store::open;
use crate::testing::clock::TokioClock;
use crate::testing::store_contract::{arn, event};

#[tokio::test]
async fn a_commit_that_fails_on_the_way_changes_nothing() {
    let world = World::new();
    let store = world.open().await.store;
    world
        .sql("CREATE TRIGGER refuse BEFORE INSERT ON images BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await;
    let (mut changes, tasks) = two_tasks();
    changes.push(Change::Event(event("a", "Something")));
    let whole = changes.clone();
    changes.push(Change::Image(ImageRecord {
        reference: "a:1".to_owned(),
        image_id: "sha256:1".to_owned(),
        pulled_at: None,
        last_used_at: UnixMillis(1),
        size_bytes: 1,
    }));
    let error = store.commit(&changes).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert_eq!(store.load().await.unwrap().tasks, []);
    assert_eq!(store.events_after(None, 0, 10).await.unwrap(), []);

    store.commit(&whole).await.unwrap();
    assert_eq!(store.load().await.unwrap().tasks, tasks);
}

/// SQLite's own limit on the file's size gives the same error as a full disk.
#[tokio::test]
async fn a_full_disk_fails_a_commit_which_succeeds_when_there_is_room() {
    let world = World::new();
    let store = world.open().await.store;
    store.commit(&[new_task("a")]).await.unwrap();
    store.limit_pages(30).await;
    let many: Vec<Task> = (0..200)
        .map(|number| {
            let (_, [mut task, _]) = two_tasks();
            task.desired.arn = arn(&format!("many-{number}"));
            task
        })
        .collect();
    let error = store.commit(&changes_of(&many)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoSpace);
    assert_eq!(store.load().await.unwrap().tasks.len(), 1, "all or nothing");

    // The failed connection took the limit with it.
    store.commit(&changes_of(&many)).await.unwrap();
    assert_eq!(store.load().await.unwrap().tasks.len(), 201);
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_denied() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    for directory in [file.clone(), file.join("below")] {
        let opened = open(&directory, Arc::new(TokioClock::new())).await;
        let error = opened.err().unwrap();
        assert_eq!(error.kind, ErrorKind::Denied, "{error}");
        assert!(error.operation.ends_with(directory.to_str().unwrap()));
    }
}

#[tokio::test]
async fn a_store_that_is_closed_says_so() {
    let world = World::new();
    let store = world.open().await.store;
    store.close().await;
    let error = store.commit(&[new_task("a")]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
}
