//! The admin socket before the engine is up: who asks waits for it a while, and then hears what is waited for.
//!
//! **Invariant.** Once the engine is up its router answers, and nothing else ever again.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use tokio::sync::SetOnce;
use tower::ServiceExt;

use crate::api::listeners::admin_layers;
use crate::api::problem::{Problem, ProblemKind};
use crate::boundary::Ids;

/// How long a request waits for the engine: a start takes milliseconds, unless the state directory is in trouble.
const PATIENCE: Duration = Duration::from_secs(2);

/// Puts the engine's router in place. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Switch(Arc<SetOnce<Router>>);

impl Switch {
    /// The engine is up. A second call does nothing.
    pub fn up(&self, router: Router) {
        // Whoever was first stays.
        let _second = self.0.set(router);
    }
}

#[derive(Clone)]
struct Routers {
    engine: Switch,
    starting: Router,
}

/// A router that says that the agent is starting until `switch` is up.
pub fn starting_router(switch: Switch, ids: Arc<dyn Ids>) -> Router {
    let refuse = async || Problem::new(ProblemKind::Starting);
    let starting = admin_layers(Router::new().fallback(refuse), ids);
    let engine = switch;
    Router::new()
        .fallback(pass)
        .with_state(Routers { engine, starting })
}

async fn pass(State(routers): State<Routers>, request: Request) -> Response {
    let engine = tokio::time::timeout(PATIENCE, routers.engine.0.wait()).await;
    let router = engine.unwrap_or(&routers.starting);
    router.clone().oneshot(request).await.into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;
    use crate::api::admin::testing::{Rig, snapshot_of, task};

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_starts_says_so_and_one_that_is_up_answers() {
        let mut rig = Rig::new(snapshot_of([task("a")]));
        let (switch, engine) = (Switch::default(), rig.router.clone());
        rig.router = starting_router(switch.clone(), Arc::clone(&rig.state.ids));
        for path in ["/v1/tasks", "/livez", "/nothing"] {
            let answer = rig.get(path).await;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
            assert_eq!(answer.json()["type"], "urn:berth:problem:starting");
            assert_eq!(answer.headers["retry-after"], "1");
        }
        let (early, ()) = tokio::join!(rig.get("/v1/tasks/a"), async {
            tokio::time::sleep(PATIENCE / 2).await;
            switch.up(engine);
        });
        assert_eq!(early.status, StatusCode::OK, "it waits for the start");
        assert_eq!(rig.get("/v1/tasks/a").await.status, StatusCode::OK);
        let answer = rig.get("/nothing").await;
        assert_eq!(answer.json()["type"], "urn:berth:problem:no-such-route");
    }
}
