//! `/v1/credentials` and `/v2/credentials/{id}`: credentials of a role for whoever knows the id and may have them.
//!
//! Statuses, codes and messages are the reference agent's (`http-endpoints.md` 3). A caller that may not have the
//! credentials is answered as if the id did not exist.

mod wire;

mod answer;

mod v1;

mod v2;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::routing::any;

use super::limits::{Limits, Rate, RateLimits};
use crate::boundary::Clock;
use crate::boundary::credentials::AuditLog;
use crate::credentials::CredentialsHandle;

pub use wire::encode;

/// What the endpoints work with; cheap to clone.
#[derive(Clone)]
pub struct CredentialsState {
    credentials: CredentialsHandle,
    audit: Arc<dyn AuditLog>,
    clock: Arc<dyn Clock>,
    /// How often a mismatch is worth a line that people read; the record has them all.
    noise: Arc<Limits>,
}

impl CredentialsState {
    /// Answers come from `credentials`, and what becomes of requests goes to `audit`.
    pub fn new(
        credentials: CredentialsHandle,
        audit: Arc<dyn AuditLog>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let rate = Rate::new(1, 5);
        let noise = Limits::new(RateLimits {
            credentials: rate,
            metadata: rate,
        });
        Self {
            credentials,
            audit,
            clock,
            noise: Arc::new(noise),
        }
    }
}

/// The routes, without layers. Every method is answered like GET, as by the reference agent.
pub fn credentials_routes(state: CredentialsState) -> Router {
    Router::new()
        .route("/v1/credentials", any(v1::get))
        // A path parameter is never empty, so that an empty id is a route of its own.
        .route("/v2/credentials/", any(v2::get_without_id))
        .route("/v2/credentials/{*id}", any(v2::get))
        .with_state(state)
}
