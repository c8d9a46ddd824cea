//! Telemetry: what is told of use, health and the instance, and how it is cut into requests. Pure.
//!
//! Not here: sockets and the signature of each frame (`crate::ecs::connect`), and the rhythm (`crate::ecs::service`).

pub mod timers;

pub mod wire;

mod sets;

mod series;

mod health;

mod requests;

mod heard;

mod waiting;

#[cfg(test)]
mod tests;

pub use health::{RuntimeHealth, health_tasks};
pub use heard::is_sign_of_life;
pub use requests::{Round, health_requests, metrics_requests, status_request};
pub use series::{Series, is_tracked};
pub use waiting::Waiting;
