//! What is counted, and its text: families with bounded labels, named as ECS dashboards expect (`ecs_agent_…`).
//!
//! ```text
//! counted as it happens:  calls of Docker and of the store, rounds of the engine, events of tasks ─┐
//! read off when asked:    tasks, host, images, process                                             ├─► text
//! ```
//!
//! **Invariants.** No label holds an ARN, an id that opens something, an image or words of an error. Asking neither
//! waits nor counts.

mod counted;

mod read_off;

mod format;

#[cfg(test)]
mod lint;

#[cfg(test)]
mod tests;

pub use counted::{Counted, TaskStage};
pub use format::Format;
pub use read_off::{ControlPlaneUse, ProcessUse, ReadOff, TaskUse};
