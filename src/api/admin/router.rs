//! The admin API as one router, layers excluded: those are on the page of listeners.

use axum::Router;

use super::openapi::routes;
use super::state::{AdminState, MAX_STREAMS, Shared};
use crate::api::listeners::admin_layers;
use crate::api::observe::state::Streams;

/// Every admin route behind the layers of its listener.
pub fn admin_router(state: AdminState) -> Router {
    let ids = std::sync::Arc::clone(&state.ids);
    let shared = Shared {
        state,
        streams: Streams::new(MAX_STREAMS),
    };
    let (router, _) = routes().with_state(shared).split_for_parts();
    admin_layers(router, ids)
}
