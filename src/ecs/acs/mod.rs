//! The conversation with the Agent Communication Service: what is said both ways, and what follows from it. Pure.
//!
//! Not here: sockets and signatures (`crate::ecs::connect`), and carrying out what the session asks for
//! (`crate::ecs::service`).

pub mod timers;

pub mod wire;

mod codec;

mod attachments;

mod credentials;

mod session;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod attachment_tests;

pub use codec::{Decoded, Inbound, Outbound, decode, encode, is_inactive, refusal};
pub use credentials::{Delivery, Given};
pub use session::{Effect, Job, JobId, Note, Session, Tasks};
