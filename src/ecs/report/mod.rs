//! State changes: what is known of tasks against what the control plane has acknowledged.
//!
//! There is no queue of what happened. A report is made from the rows when it is sent, so what was lost with the
//! network or the process is found again by looking; `plan.rs` decides, `sender.rs` carries it out.

mod change;

pub mod bindings;

pub mod plan;

mod lanes;

mod sender;

#[cfg(test)]
mod tests;

pub use change::{ContainerChange, NetworkBinding, PortsReported, TaskChange};
pub use sender::{Rejections, ReportConfig, Sender};
