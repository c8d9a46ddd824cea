//! The whole task server without a listener: all routes with the layers that they have, over the recorded task.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, LOCATION, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Method, Request};
use http_body_util::BodyExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::credentials::{CredentialsState, credentials_routes, encode};
use super::limits::{RateLimiter, RateLimits};
use super::metadata::MetadataState;
use super::requests::read_requests;
use super::router::task_server_routes;
use crate::api::listeners::task_server_layers;
use crate::api::task_server::peer::Peer;
use crate::api::view::sample::{self, lab};
use crate::boundary::credentials::{CredentialsSource, NoKeeper, TaskRoles as _};
use crate::boundary::ecs_facts::{EcsFactsSource, InstancePlace, ResourceTags, Tags};
use crate::boundary::stats::NoStats;
use crate::boundary::{BoundaryError, Clock as _};
use crate::credentials::{CredentialsConfig, Outside, service};
use crate::domain::caller::{Caller, Doubt};
use crate::domain::credentials::{
    Credentials, CredentialsId, Expiration, RoleArn, RoleGrant, RoleKind,
};
use crate::domain::ids::TaskArn;
use crate::domain::secret::Secret;
use crate::testing::clock::{SeededIds, TokioClock};
use crate::testing::credentials::{MemoryAudit, grant};

/// Id of the recorded task role.
pub(super) const TASK_ROLE: &str = "a19d5489-ba32-4a72-8883-1c7d6871ec84";

/// Id of the recorded execution role.
const EXECUTION_ROLE: &str = "79a56588-5108-4fb7-ac96-f37d0cf15358";

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: Option<String>,
    pub(super) sniffing: Option<String>,
    pub(super) location: Option<String>,
    pub(super) body: String,
}

/// The recorded credentials.
struct Recorded(Arc<TokioClock>);

#[async_trait]
impl CredentialsSource for Recorded {
    async fn fetch(&self, grant: &RoleGrant) -> Result<Credentials, BoundaryError> {
        let which = match grant.kind {
            RoleKind::Task => 'A',
            RoleKind::Execution => 'X',
        };
        let mut at = self.0.now();
        at.0 += 3_600_000;
        Ok(Credentials {
            access_key_id: Secret::new(format!("LABROLEKEY{which}")),
            secret_access_key: Secret::new(format!("lab-role-secret-{which}")),
            session_token: Secret::new(format!("lab-role-token-{which}")),
            expiration: Expiration {
                text: "2026-11-23T17:51:52Z".to_owned(),
                at,
            },
        })
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}

/// What ECS said when the answers were recorded.
struct RecordedFacts;

#[async_trait]
impl EcsFactsSource for RecordedFacts {
    fn availability_zone(&self) -> Option<Arc<str>> {
        Some("us-west-2a".into())
    }

    fn container_instance(&self) -> Option<Arc<str>> {
        None
    }

    fn place(&self) -> Option<Arc<InstancePlace>> {
        Some(Arc::default())
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }

    async fn tags(&self, _task: &TaskArn) -> ResourceTags {
        ResourceTags {
            instance: self.instance_tags().await,
            task: self.instance_tags().await,
        }
    }

    async fn instance_tags(&self) -> Tags {
        Ok(Arc::new([("lab".to_owned(), "yes".to_owned())].into()))
    }
}

/// The server; its work ends with the set. Needs paused time.
pub(super) fn server() -> (Router, JoinSet<()>) {
    let (router, _audit, work) = recorded(RateLimits::default());
    (router, work)
}

/// The same with these limits, and the record of its requests for credentials.
pub(super) fn recorded(rates: RateLimits) -> (Router, Arc<MemoryAudit>, JoinSet<()>) {
    let clock = Arc::new(TokioClock::new());
    let outside = Outside {
        source: Arc::new(Recorded(clock.clone())),
        keeper: Arc::new(NoKeeper),
        clock: clock.clone(),
        ids: Arc::new(SeededIds::new(1)),
        encode,
    };
    let (service, handle) = service(&CredentialsConfig::default(), outside);
    let mut work = JoinSet::new();
    work.spawn(service.run(CancellationToken::new()));
    let role = |id: &str, kind, name: &str| RoleGrant {
        id: CredentialsId::parse(id).unwrap(),
        kind,
        role: RoleArn::parse(&format!("arn:aws:iam::123456789012:role/{name}")).unwrap(),
        ..grant(1)
    };
    handle.set_wanted(vec![
        role(TASK_ROLE, RoleKind::Task, "lab-task-role"),
        role(EXECUTION_ROLE, RoleKind::Execution, "lab-exec-role"),
    ]);
    let audit = Arc::new(MemoryAudit::default());
    let state = CredentialsState::new(handle, audit.clone(), clock.clone());
    let metadata = MetadataState::new(sample::views([lab()]), Arc::new(NoStats));
    let metadata = metadata.connected(Arc::new(RecordedFacts));
    let routes = task_server_routes(metadata).merge(credentials_routes(state));
    let limiter = RateLimiter::new(rates, audit.clone(), clock);
    let routes = task_server_layers(routes, limiter.clone());
    (read_requests(routes, limiter), audit, work)
}

/// Asks, as somebody on loopback of whom no more is known.
pub(super) async fn ask(router: &Router, mut request: Request<Body>) -> Answer {
    let peer = Peer::new(
        ([127, 0, 0, 1], 5).into(),
        Caller::Unknown(Doubt::Unsupported),
    );
    request.extensions_mut().insert(peer);
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = |name: HeaderName| {
        let value = parts.headers.get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status.as_u16(),
        kind: text(CONTENT_TYPE),
        sniffing: text(X_CONTENT_TYPE_OPTIONS),
        location: text(LOCATION),
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// Asks for a path.
pub(super) async fn get(router: &Router, path: &str) -> Answer {
    asked(router, Method::GET, path).await
}

/// Asks for a path in that way.
pub(super) async fn asked(router: &Router, method: Method, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path);
    ask(router, request.body(Body::empty()).unwrap()).await
}
