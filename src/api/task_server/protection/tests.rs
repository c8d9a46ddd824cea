//! The checks of task protection (`http-endpoints.md` 11.9) over the recorded task.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::api::task_server::credentials::encode;
use crate::api::task_server::testing::{Answer, ask};
use crate::api::view::sample::{self, ARN, MAIN_ENDPOINT, lab};
use crate::boundary::credentials::{NoKeeper, RoleReadiness, TaskRoles as _};
use crate::boundary::protection::{Protection, ProtectionFailure};
use crate::credentials::{CredentialsConfig, Outside, service};
use crate::domain::credentials::RoleGrant;
use crate::domain::ids::UnixMillis;
use crate::testing::clock::{SeededIds, TokioClock};
use crate::testing::credentials::{FakeSource, grant};

type Said = Result<ProtectionAnswer, ProtectionError>;

/// Answers from a list, and keeps what it was asked, and with which key.
#[derive(Default)]
struct Plane {
    answers: Mutex<VecDeque<Said>>,
    asked: Mutex<Vec<(String, String, ProtectionCall)>>,
}

#[async_trait]
impl TaskProtection for Plane {
    async fn call(&self, task: &TaskArn, credentials: &Credentials, call: ProtectionCall) -> Said {
        let key = credentials.access_key_id.expose().to_owned();
        self.asked
            .lock()
            .unwrap()
            .push((task.to_string(), key, call));
        let next = self.answers.lock().unwrap().pop_front();
        next.unwrap_or(Ok(ProtectionAnswer::default()))
    }
}

struct Rig {
    plane: Arc<Plane>,
    router: Router,
    _work: JoinSet<()>,
}

/// `roles` = the recorded task has one.
async fn rig(roles: Roles) -> Rig {
    let clock = Arc::new(TokioClock::new());
    let source = Arc::new(FakeSource::new(clock.clone()));
    if roles == Roles::ToCome {
        source.state().fails = Some(crate::boundary::ErrorKind::Unavailable);
    }
    let outside = Outside {
        source,
        keeper: Arc::new(NoKeeper),
        clock,
        ids: Arc::new(SeededIds::new(1)),
        encode,
    };
    let (service, handle) = service(&CredentialsConfig::default(), outside);
    let mut work = JoinSet::new();
    work.spawn(service.run(CancellationToken::new()));
    if roles != Roles::None {
        handle.set_wanted(vec![RoleGrant {
            owner: TaskArn::parse(ARN).unwrap(),
            ..grant(1)
        }]);
    }
    let settled = |readiness: Option<RoleReadiness>| match roles {
        Roles::None => true,
        Roles::ToCome => matches!(readiness, Some(RoleReadiness::Failing { .. })),
        Roles::Here => readiness == Some(RoleReadiness::Ready),
    };
    while !settled(handle.readiness(&grant(1).id)) {
        tokio::task::yield_now().await;
    }
    let plane = Arc::new(Plane::default());
    let state = ProtectionState::new(sample::views([lab()]), handle, plane.clone());
    Rig {
        plane,
        router: protection_routes(state),
        _work: work,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Roles {
    None,
    ToCome,
    Here,
}

impl Rig {
    async fn ask(&self, method: Method, id: &str, body: &'static str) -> (u16, String) {
        let path = format!("/api/{id}/task-protection/v1/state");
        let request = Request::builder().method(method).uri(path);
        let Answer { status, body, .. } =
            ask(&self.router, request.body(Body::from(body)).unwrap()).await;
        (status, body)
    }

    async fn get(&self) -> (u16, String) {
        self.ask(Method::GET, MAIN_ENDPOINT, "").await
    }

    async fn put(&self, body: &'static str) -> (u16, String) {
        self.ask(Method::PUT, MAIN_ENDPOINT, body).await
    }

    fn will_say(&self, said: Said) {
        self.plane.answers.lock().unwrap().push_back(said);
    }

    fn asked(&self) -> Vec<(String, String, ProtectionCall)> {
        self.plane.asked.lock().unwrap().clone()
    }
}

fn error(code: &str, message: &str) -> String {
    format!(r#"{{"error":{{"Arn":"{ARN}","Code":"{code}","Message":"{message}"}}}}"#)
}

fn protected(expires_at: Option<UnixMillis>) -> ProtectionAnswer {
    ProtectionAnswer {
        protected: vec![Protection {
            task: ARN.to_owned(),
            enabled: expires_at.is_some(),
            expires_at,
        }],
        failures: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn other_methods_and_unknown_ids_are_refused() {
    let rig = rig(Roles::Here).await;
    for method in [Method::POST, Method::DELETE] {
        assert_eq!(
            rig.ask(method, MAIN_ENDPOINT, "").await,
            (405, String::new())
        );
    }
    let expected = r#"{"error":{"Code":"ResourceNotFoundException","Message":"Failed to find a task for the request"}}"#;
    for (method, body) in [
        (Method::GET, ""),
        (Method::PUT, r#"{"ProtectionEnabled":true}"#),
    ] {
        let answer = rig.ask(method, "nobody", body).await;
        assert_eq!(answer, (404, expected.to_owned()));
    }
    assert_eq!(rig.asked(), []);
}

#[tokio::test(start_paused = true)]
async fn check_142_a_task_without_a_role_gets_403_and_one_whose_role_is_to_come_503() {
    let without = rig(Roles::None).await;
    let words = "Invalid Request: no task IAM role credentials available for task";
    assert_eq!(
        without.get().await,
        (403, error("AccessDeniedException", words))
    );
    let later = rig(Roles::ToCome).await;
    let (status, body) = later.get().await;
    assert_eq!(status, 503);
    assert!(body.contains("ServerException"), "{body}");
    assert_eq!((without.asked(), later.asked()), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn check_142_calls_are_made_with_the_role_of_the_task() {
    let rig = rig(Roles::Here).await;
    rig.will_say(Ok(protected(None)));
    let expected = format!(
        r#"{{"protection":{{"ExpirationDate":null,"ProtectionEnabled":false,"TaskArn":"{ARN}"}}}}"#
    );
    assert_eq!(rig.get().await, (200, expected));
    rig.will_say(Ok(protected(Some(UnixMillis(1_767_225_600_000)))));
    let expected = format!(
        r#"{{"protection":{{"ExpirationDate":"2026-01-01T00:00:00Z","ProtectionEnabled":true,"TaskArn":"{ARN}"}}}}"#
    );
    let body = r#"{"protectionenabled": true, "ExpiresInMinutes": 5} and more"#;
    assert_eq!(rig.put(body).await, (200, expected));
    let set = ProtectionCall::Set {
        enabled: true,
        minutes: Some(5),
    };
    let asked = |call| (ARN.to_owned(), "KEY1".to_owned(), call);
    assert_eq!(rig.asked(), [asked(ProtectionCall::Get), asked(set)]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_none_is_refused_and_one_without_the_member_too() {
    let rig = rig(Roles::Here).await;
    let expected = r#"{"error":{"Code":"InvalidParameterException","Message":"UpdateTaskProtection: failed to decode request"}}"#;
    for body in [
        "",
        "[]",
        r#"{"Foo":1}"#,
        r#"{"ProtectionEnabled":"yes"}"#,
        r#"{"ProtectionEnabled":true,"ExpiresInMinutes":1.5}"#,
    ] {
        assert_eq!(rig.put(body).await, (400, expected.to_owned()), "{body}");
    }
    let words = "Invalid request: does not contain 'ProtectionEnabled' field";
    let expected = error("InvalidParameterException", words);
    assert_eq!(rig.put("{}").await, (400, expected));
    assert_eq!(rig.asked(), []);
}

#[tokio::test(start_paused = true)]
async fn what_ecs_says_instead_is_passed_on() {
    let rig = rig(Roles::Here).await;
    rig.will_say(Ok(ProtectionAnswer {
        protected: Vec::new(),
        failures: vec![ProtectionFailure {
            task: Some(ARN.to_owned()),
            reason: Some("TASK_NOT_VALID".to_owned()),
            detail: None,
        }],
    }));
    let failure =
        format!(r#"{{"failure":{{"Arn":"{ARN}","Detail":null,"Reason":"TASK_NOT_VALID"}}}}"#);
    assert_eq!(rig.get().await, (200, failure));
    rig.will_say(Err(ProtectionError::Refused {
        status: 400,
        request_id: Some("r-1".to_owned()),
        code: "ClusterNotFoundException".to_owned(),
        message: "no".to_owned(),
    }));
    let refused = format!(
        r#"{{"requestID":"r-1","error":{{"Arn":"{ARN}","Code":"ClusterNotFoundException","Message":"no"}}}}"#
    );
    assert_eq!(rig.get().await, (400, refused));
    rig.will_say(Err(ProtectionError::Late));
    let late = error(
        "RequestCanceled",
        "Timed out calling ECS Task Protection API",
    );
    assert_eq!(rig.get().await, (504, late));
    rig.will_say(Err(ProtectionError::Unreachable("gone".to_owned())));
    assert_eq!(rig.get().await, (500, error("ServerException", "gone")));
    rig.will_say(Ok(ProtectionAnswer::default()));
    let nothing = error("ServerException", "Unexpected error occurred");
    assert_eq!(rig.get().await, (500, nothing));
}
