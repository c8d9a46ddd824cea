//! What every container engine behind the boundary must do: the same suite runs on the fake and on real Docker.

mod spec;

mod suite;

pub use spec::{EXIT_3, PATIENCE, STUBBORN, TALK, UNTIL_TERM, container, labels};
pub use suite::{container_runtime, runtime_ping, volume_runtime};
