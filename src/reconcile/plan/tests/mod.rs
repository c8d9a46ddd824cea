//! Tables of the planner in the notation of `crate::reconcile::notation`: what is known, and what is decided.

mod start;

mod order;

mod admission;

mod roles;

mod stop;

mod cleanup;

mod surroundings;

mod properties;

use crate::reconcile::notation::Scene;

/// The decision about a scene, as text.
fn check(scene: &str) -> String {
    Scene::read(scene).planned()
}
