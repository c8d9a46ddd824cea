//! The endpoints against what the reference agent was seen to answer, and against bad input; no listener, paused time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::{Router, middleware};
use http_body_util::BodyExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{CredentialsState, credentials_routes, encode};
use crate::api::task_server::limits::{Rate, RateLimiter, RateLimits, limit};
use crate::api::task_server::peer::Peer;
use crate::boundary::ErrorKind;
use crate::boundary::credentials::{AuditEntry, AuditEvent, NoKeeper, TaskRoles as _};
use crate::credentials::{CredentialsConfig, CredentialsHandle, Outside, service};
use crate::domain::caller::{Caller, Doubt};
use crate::domain::credentials::{RoleGrant, RoleKind};
use crate::testing::clock::{SeededIds, TokioClock};
use crate::testing::credentials::{FakeSource, MemoryAudit, grant};

struct Rig {
    router: Router,
    handle: CredentialsHandle,
    source: Arc<FakeSource>,
    audit: Arc<MemoryAudit>,
    caller: Caller,
    _work: JoinSet<()>,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Rig {
    fn start(rates: RateLimits) -> Self {
        let clock = Arc::new(TokioClock::new());
        let source = Arc::new(FakeSource::new(clock.clone()));
        let outside = Outside {
            source: source.clone(),
            keeper: Arc::new(NoKeeper),
            clock: clock.clone(),
            ids: Arc::new(SeededIds::new(1)),
            encode,
        };
        let (service, handle) = service(&CredentialsConfig::default(), outside);
        let mut work = JoinSet::new();
        work.spawn(service.run(CancellationToken::new()));
        let execution = RoleGrant {
            kind: RoleKind::Execution,
            ..grant(2)
        };
        handle.set_wanted(vec![grant(1), execution]);
        let audit = Arc::new(MemoryAudit::default());
        let state = CredentialsState::new(handle.clone(), audit.clone(), clock.clone());
        let limiter = RateLimiter::new(rates, audit.clone(), clock);
        let router =
            credentials_routes(state).layer(middleware::from_fn_with_state(limiter, limit));
        Self {
            router,
            handle,
            source,
            audit,
            caller: Caller::Unknown(Doubt::Unsupported),
            _work: work,
        }
    }

    async fn ask(&self, method: &str, path: &str) -> Answer {
        self.ask_from("10.0.0.1:4711", method, path).await
    }

    async fn ask_from(&self, peer: &str, method: &str, path: &str) -> Answer {
        let peer = Peer::new(peer.parse().unwrap(), self.caller.clone());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("user-agent", "test/1")
            .extension(peer)
            .body(Body::empty())
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

const GOOD: &str = r#"{"RoleArn":"arn:aws:iam::123456789012:role/web","AccessKeyId":"KEY1","SecretAccessKey":"secret1","Token":"token1","Expiration":"2026-11-23T17:51:52Z"}"#;
const NO_ID_V1: &str = r#"{"code":"NoIdInRequest","message":"CredentialsV1Request: No Credential ID in the request","HTTPErrorCode":400}"#;
const NO_ID_V2: &str = r#"{"code":"NoIdInRequest","message":"CredentialsV2Request: No Credential ID in the request","HTTPErrorCode":400}"#;
const UNKNOWN_V1: &str = r#"{"code":"InvalidIdInRequest","message":"CredentialsV1Request: Credentials not found","HTTPErrorCode":400}"#;
const UNKNOWN_V2: &str = r#"{"code":"InvalidIdInRequest","message":"CredentialsV2Request: Credentials not found","HTTPErrorCode":400}"#;
const NOT_YET_V2: &str = r#"{"code":"CredentialsUninitialized","message":"CredentialsV2Request: Credentials uninitialized for ID","HTTPErrorCode":503}"#;

#[tokio::test(start_paused = true)]
async fn every_form_of_a_request_gets_the_reference_agents_answer() {
    let rig = Rig::start(RateLimits::default());
    let long = format!("/v2/credentials/{}", "x".repeat(8000));
    for (path, status, body) in [
        ("/v2/credentials/id-1", 200, GOOD),
        ("/v2/credentials/id-1?x=1", 200, GOOD),
        ("/v1/credentials?id=id-1", 200, GOOD),
        ("/v1/credentials?x=1&id=id-1", 200, GOOD),
        ("/v2/credentials/%69d-1", 200, GOOD),
        ("/v1/credentials", 400, NO_ID_V1),
        ("/v1/credentials?id=", 400, NO_ID_V1),
        ("/v1/credentials?ID=id-1", 400, NO_ID_V1),
        ("/v1/credentials?id=nope", 400, UNKNOWN_V1),
        ("/v1/credentials?id=%ff%00", 400, UNKNOWN_V1),
        ("/v2/credentials/", 400, NO_ID_V2),
        ("/v2/credentials/nope", 400, UNKNOWN_V2),
        ("/v2/credentials/id-1/", 400, UNKNOWN_V2),
        ("/v2/credentials/id-1/extra", 400, UNKNOWN_V2),
        ("/v2/credentials/%2e%2e%2fid-1", 400, UNKNOWN_V2),
        ("/v2/credentials/%ff%fe", 400, UNKNOWN_V2),
        ("/v2/credentials/id-1%00", 400, UNKNOWN_V2),
        ("/v2/credentials/ID-1", 400, UNKNOWN_V2),
        (&long, 400, UNKNOWN_V2),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let answer = rig.ask(method, path).await;
            assert_eq!(answer.status, status, "{method} {path}");
            assert_eq!(answer.body, body, "{method} {path}");
            assert_eq!(answer.headers["content-type"], "application/json");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_being_fetched_is_waited_for_and_then_503() {
    let rig = Rig::start(RateLimits::default());
    rig.ask("GET", "/v2/credentials/id-1").await;
    rig.source.state().takes = Duration::from_mins(1);
    rig.handle.set_wanted(vec![grant(3)]);
    let answer = rig.ask("GET", "/v2/credentials/id-3").await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_str()),
        (503, NOT_YET_V2)
    );
    let recorded = rig.audit.take();
    let told: Vec<_> = recorded
        .iter()
        .map(|entry| (entry.status, entry.owner.clone(), entry.event))
        .collect();
    let refused = (503, Some(grant(3).owner), AuditEvent::Refused);
    assert_eq!(told.last(), Some(&refused));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_denied_is_503_and_nothing_of_the_cause_is_told() {
    let rig = Rig::start(RateLimits::default());
    rig.source.state().fails = Some(ErrorKind::Denied);
    rig.handle.set_wanted(vec![grant(3)]);
    let answer = rig.ask("GET", "/v2/credentials/id-3").await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_str()),
        (503, NOT_YET_V2)
    );
}

#[tokio::test(start_paused = true)]
async fn another_task_is_answered_as_if_the_id_did_not_exist() {
    let mut rig = Rig::start(RateLimits::default());
    rig.caller = Caller::Task(grant(1).owner);
    assert_eq!(rig.ask("GET", "/v2/credentials/id-1").await.body, GOOD);
    rig.caller = Caller::Task(grant(9).owner);
    let other = rig.ask("GET", "/v2/credentials/id-1").await;
    let unknown = rig.ask("GET", "/v2/credentials/nope").await;
    assert_eq!((other.status, &other.body), (unknown.status, &unknown.body));
    let owners: Vec<_> = rig
        .audit
        .take()
        .into_iter()
        .map(|entry| entry.owner)
        .collect();
    assert_eq!(owners, [Some(grant(1).owner), Some(grant(1).owner), None]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_not_known_is_told_to_come_again_and_recorded() {
    let mut rig = Rig::start(RateLimits::default());
    rig.caller = Caller::Unknown(Doubt::NotFound);
    let answer = rig.ask("GET", "/v2/credentials/id-1").await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_str()),
        (503, NOT_YET_V2)
    );
    rig.ask("GET", "/v2/credentials/nope").await;
    let recorded = rig.audit.take();
    let told: Vec<_> = recorded
        .iter()
        .map(|entry| (entry.status, entry.event, entry.against))
        .collect();
    let of_a_role = (503, AuditEvent::Refused, Some("unidentified"));
    assert_eq!(told, [of_a_role, (400, AuditEvent::Refused, None)]);
}

#[tokio::test(start_paused = true)]
async fn every_request_is_recorded_without_its_id() {
    let rig = Rig::start(RateLimits::default());
    let entry = |status, path: &'static str, owner: Option<u32>, event| AuditEntry {
        at: crate::testing::clock::EPOCH,
        status,
        peer: "10.0.0.1:4711".parse().unwrap(),
        path: path.into(),
        user_agent: "test/1".to_owned(),
        owner: owner.map(|n| grant(n).owner),
        event,
        against: (status == 200).then_some("unidentified"),
    };
    for (path, expected) in [
        (
            "/v2/credentials/id-1",
            entry(
                200,
                "/v2/credentials",
                Some(1),
                AuditEvent::Vended(RoleKind::Task),
            ),
        ),
        (
            "/v1/credentials?id=id-2",
            entry(
                200,
                "/v1/credentials",
                Some(2),
                AuditEvent::Vended(RoleKind::Execution),
            ),
        ),
        (
            "/v2/credentials/secret-id",
            entry(400, "/v2/credentials", None, AuditEvent::Refused),
        ),
        (
            "/v1/credentials",
            entry(400, "/v1/credentials", None, AuditEvent::Refused),
        ),
    ] {
        rig.ask("GET", path).await;
        assert_eq!(rig.audit.take(), [expected]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept_for_each_peer_and_refusals_say_when_to_come_again() {
    let rate = Rate::new(40, 60);
    let rig = Rig::start(RateLimits {
        credentials: rate,
        metadata: rate,
    });
    for n in 0..60 {
        // Another id, query or spelling is the same.
        let path = [
            "/v2/credentials/id-1",
            "/v2/credentials/id-2",
            "/v2/credentials/%69d-1?x",
        ][n % 3];
        let answer = rig.ask("GET", path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["x-rate-limit-limit"], "40.00");
        assert_eq!(answer.headers["x-rate-limit-duration"], "1");
        assert_eq!(answer.headers["x-rate-limit-request-forwarded-for"], "");
        assert_eq!(
            answer.headers["x-rate-limit-request-remote-addr"],
            "10.0.0.1:4711"
        );
    }
    rig.audit.take();
    let refused = rig.ask("GET", "/v2/credentials/id-1").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.body, "You have reached maximum request limit.");
    assert_eq!(refused.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(refused.headers["retry-after"], "1");
    for (header, expected) in [
        ("x-rate-limit-limit", "40.00"),
        ("x-rate-limit-duration", "1"),
        ("x-rate-limit-request-forwarded-for", ""),
        ("x-rate-limit-request-remote-addr", "10.0.0.1:4711"),
    ] {
        assert_eq!(refused.headers[header], expected, "{header}");
    }
    let recorded = rig.audit.take();
    assert_eq!(recorded.len(), 1);
    assert_eq!(
        (recorded[0].status, recorded[0].event),
        (429, AuditEvent::RateLimited)
    );
    // Another id has no bucket of its own.
    for path in ["/v2/credentials/nope", "/v1/credentials?id=id-2"] {
        assert_eq!(rig.ask("GET", path).await.status, 429, "{path}");
    }
    let other = rig
        .ask_from("10.0.0.2:1", "GET", "/v2/credentials/id-1")
        .await;
    assert_eq!(other.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_flooding_task_gives_no_other_a_refusal_even_from_one_address() {
    let rate = Rate::new(40, 60);
    let mut rig = Rig::start(RateLimits {
        credentials: rate,
        metadata: rate,
    });
    rig.caller = Caller::Task(grant(2).owner);
    let mut refused = 0;
    for _ in 0..500 {
        let answer = rig.ask("GET", "/v1/credentials?id=id-2").await;
        refused += u32::from(answer.status == 429);
    }
    assert_eq!(refused, 440);
    rig.caller = Caller::Task(grant(1).owner);
    assert_eq!(rig.ask("GET", "/v1/credentials?id=id-1").await.body, GOOD);
}
