//! A container engine that exists in memory: a model with faults, not a mock with expectations.
//!
//! It keeps containers, volumes and images as Docker does, runs "processes" on tokio's clock, sends events, and can
//! be told to fail, delay, hang, act and then time out, go away, or lose, repeat, delay and reorder events. It passes
//! the same contract suite as the real adapter.
//!
//! **Invariants checked all the time.** Never two live containers of one (task, container); no container is made
//! before what it depends on has come true (recorded as violations for the test to assert on).

mod behavior;

mod faults;

mod model;

mod processes;

mod events;

mod outside;

mod history;

mod runtime;

pub use behavior::Behavior;
pub use events::EventFate;
pub use faults::{Effect, Fault, Operation};
pub use model::{Container, World};
