//! What a task really consists of on Docker: its containers with the agent's own ones, their order, its resources.
//!
//! **Invariants.** A function of the desired task alone, so every reader gets the same answer at any time. The
//! agent's own containers are essential, start first and stop last.

mod containers;

mod network;

mod resources;

pub use containers::{ContainerKind, Layout, LayoutContainer, PAUSE_IMAGE, layout};
pub use network::{SharedNetwork, effective_network_mode, shared_network, shares_network};
pub use resources::{shared_volumes_to_find, task_resources, volume_docker_name, wants_cgroup};
