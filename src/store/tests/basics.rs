//! The contract, and what the store promises beyond it on a sound disk.

use super::world::{World, new_task, two_tasks};
use crate::boundary::store::Change;
use crate::boundary::{InstanceStore as _, TaskStore as _};
use crate::domain::container_facts::ProbeResult;
use crate::domain::ids::UnixMillis;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::task::TaskEvent;
use crate::testing::memory_store::MemoryStore;
use crate::testing::store_contract::{self, arn, event, full_known};

#[tokio::test]
async fn keeps_the_contract() {
    let world = World::new();
    let opened = world.open().await;
    assert!(opened.fresh);
    assert_eq!(opened.damage, []);
    store_contract::task_store(&opened.store).await;
}

#[tokio::test]
async fn keeps_the_contract_of_the_instance_as_the_fake_does() {
    let world = World::new();
    store_contract::instance_store(&world.open().await.store).await;
    store_contract::instance_store(&MemoryStore::default()).await;
}

#[tokio::test]
async fn a_commit_waits_for_the_disk_unless_it_need_not() {
    const FULL: i64 = 2;
    const NORMAL: i64 = 1;
    let world = World::new();
    let store = world.open().await.store;
    let (changes, tasks) = two_tasks();
    // Twice: a pragma that was prepared once would do nothing the second time.
    for _ in 0..2 {
        store.commit_unflushed(&changes).await.unwrap();
        assert_eq!(store.synchronous().await, NORMAL);
        store.commit(&changes).await.unwrap();
        assert_eq!(store.synchronous().await, FULL);
    }
    store.commit_unflushed(&changes).await.unwrap();
    store.keep(&[("arn", "a")]).await.unwrap();
    assert_eq!(store.synchronous().await, FULL, "facts of the instance");
    store.commit_unflushed(&changes).await.unwrap();
    store.load().await.unwrap();
    assert_eq!(store.synchronous().await, FULL, "rows that are set aside");
    store.commit_unflushed(&changes).await.unwrap();
    // As after the end of the program: the file is opened again beside the one that never closed it.
    let opened = world.open().await;
    assert_eq!(opened.store.load().await.unwrap().tasks, tasks);
}

/// Docker's words and the output of health checks may hold anything, and rows travel as JSON.
#[tokio::test]
async fn every_character_and_number_is_given_back() {
    let world = World::new();
    let odd: String = ('\0'..='\u{2ff}')
        .chain("\"'\\/\u{2028}\u{feff}\u{fffd}\u{ffff}\u{1f6a2}\u{10ffff}".chars())
        .collect();
    let mut known = full_known();
    for (number, container) in known.containers.values_mut().enumerate() {
        container.reason = Some(Reason::new(ReasonName::OutOfMemoryError, odd.clone()));
        container.probe = Some(ProbeResult {
            exit_code: [i64::MAX, i64::MIN][number % 2],
            output: odd.clone(),
        });
    }
    let told = TaskEvent {
        message: odd,
        at: UnixMillis(i64::MAX),
        ..event("a", "Told")
    };
    let changes = [
        new_task("a"),
        Change::Known(arn("a"), known.clone()),
        Change::Event(told.clone()),
    ];
    world.write(&changes).await;
    let (damage, loaded) = world.load().await;
    assert_eq!(damage, [""; 0]);
    assert_eq!(loaded.tasks[0].known, known);
    let events = world.open().await.store.events_after(None, 0, 9).await;
    assert_eq!(events.unwrap()[0].event, told);
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart() {
    let world = World::new();
    let (changes, tasks) = two_tasks();
    world.write(&changes).await;
    let opened = world.open().await;
    assert!(!opened.fresh);
    assert_eq!(opened.damage, []);
    assert_eq!(opened.store.load().await.unwrap().tasks, tasks);
}
