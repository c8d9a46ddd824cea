//! A container engine that exists in memory: a model with faults, not a mock with expectations.
//!
//! It keeps containers, volumes and images as Docker does, runs "processes" on tokio's clock, sends events, and can
//! be told to fail, delay, hang, act and then time out, go away, or lose, repeat and delay events. It passes the same
//! contract suite as the real adapter.
//!
//! **Invariants checked all the time.** Never two live containers of one (task, container); nothing is created,
//! started or stopped that the agent has no reason to touch (recorded as violations for the test to assert on).

mod behavior;

mod faults;

mod model;

mod runtime;

pub use behavior::Behavior;
pub use faults::{Effect, Fault, Operation};
pub use model::{Container, World};
