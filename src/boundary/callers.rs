//! Who connects to the task server.

use std::net::SocketAddr;

use async_trait::async_trait;

use crate::domain::caller::{Caller, Doubt};

/// Finds out who is at the other end of a connection.
#[async_trait]
pub trait Callers: Send + Sync {
    /// Who connected from `peer` to `local`. Asked once a connection; bounded in time, cancel-safe.
    async fn identify(&self, peer: SocketAddr, local: SocketAddr) -> Caller;
}

/// Tells nobody from anybody.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnknownCallers;

#[async_trait]
impl Callers for UnknownCallers {
    async fn identify(&self, _: SocketAddr, _: SocketAddr) -> Caller {
        Caller::Unknown(Doubt::Unsupported)
    }
}
