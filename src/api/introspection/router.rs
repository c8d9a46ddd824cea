//! The classic routes. Other routers of the listener are merged with this one; what none of them has is answered with
//! the list of commands.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;

use super::metadata::About;
use super::{license, metadata, tasks};
use crate::api::observe::strays::{is_beside, nothing_here};
use crate::api::view::Views;

/// Exactly the commands of ECS agents: scripts compare it.
const COMMANDS: &str = r#"{"AvailableCommands":["/v1/metadata","/v1/tasks","/license"]}"#;

/// What the endpoints work with; cheap to clone.
#[derive(Clone)]
pub struct IntrospectionState {
    pub(super) views: Arc<Views>,
    about: Arc<About>,
    instance: Instance,
}

/// ARN of the container instance; `None` = no control plane has given one yet.
pub type Instance = Arc<dyn Fn() -> Option<String> + Send + Sync>;

impl IntrospectionState {
    /// Answers come from `views`, `about` and whoever knows the instance.
    pub fn new(views: Arc<Views>, about: About, instance: Instance) -> Self {
        Self {
            views,
            about: Arc::new(about),
            instance,
        }
    }

    pub(super) fn metadata(&self) -> Bytes {
        self.about.encoded((self.instance)().as_deref())
    }
}

/// The routes, without layers. Every method is answered like GET, as by the reference agent, and every path that there
/// is not with the commands, unless only this agent has something below it.
pub fn classic_routes(state: IntrospectionState) -> Router {
    Router::new()
        .route("/v1/metadata", any(metadata::get))
        .route("/v1/tasks", any(tasks::get))
        .route("/license", any(license::get))
        .fallback(commands)
        .with_state(state)
}

async fn commands(uri: Uri) -> Response {
    if is_beside(uri.path()) {
        return nothing_here();
    }
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], COMMANDS).into_response()
}

/// An answer that is encoded already.
pub(super) fn json(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
