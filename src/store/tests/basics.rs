//! The contract, and what the store promises beyond it on a sound disk.

use super::world::{World, two_tasks};
use crate::boundary::TaskStore as _;
use crate::testing::memory_store::MemoryStore;
use crate::testing::store_contract;

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
async fn what_was_committed_is_there_after_a_restart() {
    let world = World::new();
    let (changes, tasks) = two_tasks();
    world.write(&changes).await;
    let opened = world.open().await;
    assert!(!opened.fresh);
    assert_eq!(opened.damage, []);
    assert_eq!(opened.store.load().await.unwrap().tasks, tasks);
}
