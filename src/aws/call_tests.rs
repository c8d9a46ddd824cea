//! Calls for a task against a stand-in on loopback that answers what it is told to.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::net::TcpListener;

use super::call::{CallConfig, Calls};
use super::ecr::Ecr;
use super::tests::{Script, StandIn};
use super::ways::{Connect, Ways};
use crate::boundary::registry::RegistryToken;
use crate::boundary::{BoundaryError, ErrorKind, OwnCredentials, TokenSource as _};
use crate::domain::credentials::{Credentials, CredentialsId};
use crate::domain::ids::UnixMillis;
use crate::domain::registry::{EcrAccess, ExecutionRole};
use crate::testing::clock::TokioClock;
use crate::testing::credentials::credentials;

/// Roles that all have these credentials.
struct Roles(Option<Arc<Credentials>>);

impl OwnCredentials for Roles {
    fn own(&self, _id: &CredentialsId) -> Option<Arc<Credentials>> {
        self.0.clone()
    }
}

fn ecr(endpoint: Option<String>, had: bool) -> Ecr {
    let clock = Arc::new(TokioClock::new());
    let connect: Connect = Arc::new(|_| {
        SharedHttpConnector::new(aws_smithy_http_client::Connector::builder().build_http())
    });
    let role = credentials(1, clock.as_ref(), Duration::from_hours(1));
    let roles = Arc::new(Roles(had.then(|| Arc::new(role))));
    let config = CallConfig {
        ecr: endpoint,
        ..CallConfig::default()
    };
    let calls = Calls::new(config, Ways::new(connect), roles, clock);
    Ecr::new(Arc::new(calls.with_host_key("HOSTKEY", "marked-own")))
}

fn access(role: bool, endpoint: Option<&str>) -> EcrAccess {
    EcrAccess {
        region: "eu-west-1".to_owned(),
        registry_id: "123456789012".to_owned(),
        endpoint: endpoint.map(str::to_owned),
        role: role.then(|| ExecutionRole {
            id: CredentialsId::parse("id").unwrap(),
            arn: "arn:aws:iam::1:role/x".to_owned(),
        }),
        implied: true,
    }
}

fn answer(login: &str, proxy: &str, count: usize) -> Script {
    let data = json!({
        "authorizationToken": STANDARD.encode(login), "expiresAt": 1_893_456_000.75, "proxyEndpoint": proxy,
    });
    let body = json!({"authorizationData": vec![data; count]});
    Script::Answer(200, body.to_string())
}

fn good() -> Script {
    answer("AWS:marked:token", "https://registry.test/", 1)
}

async fn token(script: Script, access: &EcrAccess) -> Result<RegistryToken, BoundaryError> {
    let service = StandIn::start(script).await;
    ecr(Some(service.endpoint.clone()), true)
        .token(access)
        .await
}

#[tokio::test]
async fn check_143_a_token_is_asked_for_as_the_role_or_else_as_the_host() {
    let service = StandIn::start(good()).await;
    let ecr = ecr(Some("http://127.0.0.1:1".to_owned()), true);
    // What a task names counts before the setting.
    let here = Some(service.endpoint.as_str());
    let given = ecr.token(&access(true, here)).await.unwrap();
    assert_eq!(given.login.server, "registry.test");
    assert_eq!(given.login.username, "AWS");
    assert_eq!(given.login.password.expose(), "marked:token");
    assert_eq!(given.expires_at, UnixMillis(1_893_456_000_750));
    ecr.token(&access(false, here)).await.unwrap();
    let requests = service.requests.lock().unwrap();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    for part in [
        "POST / HTTP/1.1",
        "x-amz-target: AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
        "content-type: application/x-amz-json-1.1",
        "Credential=KEY1/",
        "/eu-west-1/ecr/aws4_request",
        "x-amz-security-token: token1",
    ] {
        assert!(head.contains(part), "{part} in {head}");
    }
    assert_eq!(body, r#"{"registryIds":["123456789012"]}"#);
    assert!(requests[1].contains("Credential=HOSTKEY/"));
    assert!(!requests[1].contains("x-amz-security-token"));
}

#[tokio::test]
async fn check_143_without_the_roles_credentials_nobody_is_asked() {
    let service = StandIn::start(good()).await;
    let ecr = ecr(Some(service.endpoint.clone()), false);
    let error = ecr.token(&access(true, None)).await.unwrap_err();
    assert_eq!(error.message, "engine ecr credentials: not found");
    assert_eq!(error.kind, ErrorKind::Transient);
    let nowhere = EcrAccess {
        region: String::new(),
        ..access(false, None)
    };
    let error = ecr.token(&nowhere).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(service.requests.lock().unwrap().is_empty());
}

/// What can be answered instead of a token, its kind and some of its words.
fn troubles() -> Vec<(Script, ErrorKind, &'static str)> {
    let refusal = |status, code: &str| {
        let body = json!({"__type": format!("com.amazonaws.ecr#{code}"), "message": "why marked"});
        Script::Answer(status, body.to_string())
    };
    let malformed = "AuthorizationData is malformed";
    vec![
        (
            refusal(400, "AccessDeniedException"),
            ErrorKind::Denied,
            "AccessDeniedException: why",
        ),
        (
            refusal(400, "UnrecognizedClientException"),
            ErrorKind::Denied,
            "UnrecognizedClientException",
        ),
        (
            refusal(400, "InvalidSignatureException"),
            ErrorKind::Denied,
            "InvalidSignatureException",
        ),
        (
            refusal(400, "ThrottlingException"),
            ErrorKind::Throttled,
            "ThrottlingException",
        ),
        (
            refusal(400, "InvalidParameterException"),
            ErrorKind::Invalid,
            "InvalidParameterException: why",
        ),
        (
            refusal(500, "ServerException"),
            ErrorKind::Transient,
            "ServerException",
        ),
        (
            Script::Answer(502, "<html>marked".to_owned()),
            ErrorKind::Transient,
            "ECR gave an answer",
        ),
        (
            Script::Answer(200, "marked".to_owned()),
            ErrorKind::Transient,
            "ECR gave an answer",
        ),
        (
            Script::Answer(200, "{}".to_owned()),
            ErrorKind::Transient,
            malformed,
        ),
        (
            answer("AWS:marked", "https://r", 2),
            ErrorKind::Transient,
            malformed,
        ),
        (
            answer("marked", "https://r", 1),
            ErrorKind::Transient,
            malformed,
        ),
        (
            Script::HangUp,
            ErrorKind::Unavailable,
            "ECR cannot be reached at http://127",
        ),
    ]
}

#[tokio::test]
async fn every_trouble_of_a_call_has_a_kind_and_tells_no_secret() {
    for (script, kind, says) in troubles() {
        let error = token(script, &access(true, None)).await.unwrap_err();
        let chain = crate::error::ErrorChain(&error).to_string();
        assert_eq!(error.kind, kind, "{chain}");
        assert!(chain.contains(says), "{says} in {chain}");
        let told = chain.replace("Exception: why marked", "");
        assert!(!told.contains("marked"), "{chain}");
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let error = ecr(Some(endpoint), true)
        .token(&access(true, None))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let error = ecr(Some("not an address".to_owned()), true)
        .token(&access(true, None))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
}
