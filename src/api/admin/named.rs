//! The task that a change is for: its path must name it whole, see [`name`](crate::api::observe::select::name).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::state::Shared;
use crate::api::observe::select::{name, path_params};
use crate::api::problem::Problem;
use crate::domain::ids::TaskArn;

/// The key of the path, for changing.
pub(super) struct NamedTask(pub(super) TaskArn);

impl FromRequestParts<Shared> for NamedTask {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let text = path_params(parts).await?.remove("id");
        let snapshot = shared.state.observe.engine.snapshot();
        let arn = name(
            &text.unwrap_or_default(),
            &shared.state.observe.cluster,
            &snapshot,
        )
        .map_err(|message| Problem::field("path.id", message))?;
        Ok(Self(arn))
    }
}
