//! The fake container engine keeps the contract that real Docker keeps.

use std::sync::Arc;

use berth::testing::clock::TokioClock;
use berth::testing::contract;
use berth::testing::world::World;

#[tokio::test(start_paused = true)]
async fn the_fake_keeps_the_contract_of_the_boundary() {
    let world = World::of_instance(Arc::new(TokioClock::new()), "contract");
    world.add_image("image");
    let shared = Arc::new(world);
    contract::runtime_ping(shared.as_ref()).await;
    contract::container_runtime(shared.clone(), shared, "image", "contract").await;
}
