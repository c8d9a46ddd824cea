//! The classic paths of the introspection listener, as every ECS agent answers them (`http-endpoints.md` 2).
//!
//! Differences from the reference agent: tasks and containers have one order; images' own volumes and ports are as
//! Docker shows them; instants have milliseconds; a container that was never made has no entry.

mod wire;

mod metadata;

mod tasks;

mod license;

mod router;

#[cfg(test)]
mod recorded;

#[cfg(test)]
mod tests;

pub use metadata::About;
pub use router::{Instance, IntrospectionState, classic_routes};
