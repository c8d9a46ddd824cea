//! Images of private registries of ECR: tokens from moto, and pulls from a registry on loopback that lets in whoever has
//! the present one.
#![cfg(feature = "e2e")]

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth::aws::{CallConfig, Calls, Connect, Ecr, Ways};
use berth::boundary::{OwnCredentials, TokenSource as _};
use berth::domain::credentials::{Credentials, CredentialsId};
use berth::domain::registry::{EcrAccess, ExecutionRole};
use berth::ecs::{Network, connector};
use berth::platform::SystemClock;
use berth::testing::credentials::credentials;
use serde_json::{Value, json};

use crate::support::agent::{Site, with_site};
use crate::support::control_plane::{ControlPlane, KEY, REGION, SECRET};
use crate::support::http::{DOCKER_SOCKET, request};
use crate::support::moto::Moto;
use crate::support::registry::Registry;
use crate::support::services::Services;
use crate::support::view::SERVE;

/// Lines of `htpasswd` for the user `AWS` with the passwords `token-1` and `token-2`.
const FIRST: &str = "AWS:$2b$05$kINRALkGvZDgS0D2cMJ/zefCYrj3szvqtmaDGAKu.LjMdn5gUF6pK\n";
const SECOND: &str = "AWS:$2b$05$w.Cs4UOKU1oRCdLizBB7BeljqUkbueU7JkDhLy6GYAQbscWvqP.1i\n";

/// What execution roles of payloads sign with.
const ROLE: (&str, &str) = ("ROLEKEY", "canary-role-secret");

/// The credentials of a role.
struct Role(Arc<Credentials>);

impl OwnCredentials for Role {
    fn own(&self, _id: &CredentialsId) -> Option<Arc<Credentials>> {
        Some(Arc::clone(&self.0))
    }
}

#[tokio::test]
async fn check_143_moto_gives_a_token_for_the_registry_that_is_asked_about() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let config = CallConfig {
        ecr: Some(moto.endpoint.clone()),
        ..CallConfig::default()
    };
    let connect: Connect = Arc::new(|url| connector(&Network::default(), url));
    let life = std::time::Duration::from_hours(1);
    let role = Role(Arc::new(credentials(1, &SystemClock, life)));
    let ways = Ways::new(connect);
    let calls = Calls::new(config, ways, Arc::new(role), Arc::new(SystemClock));
    let access = EcrAccess {
        region: "eu-west-1".to_owned(),
        registry_id: "123456789012".to_owned(),
        endpoint: None,
        role: Some(ExecutionRole {
            id: CredentialsId::parse("id").expect("an id"),
            arn: "arn:aws:iam::123456789012:role/x".to_owned(),
        }),
        implied: true,
    };
    let token = Ecr::new(Arc::new(calls)).token(&access).await;
    let token = token.expect("a token");
    assert_eq!(token.login.username, "AWS");
    let server = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    assert_eq!(token.login.server, server);
    assert!(!token.login.password.expose().is_empty());
}

/// An answer of ECR with a token for the registry.
fn token(registry: &str, number: u32) -> (u16, Value) {
    let token = STANDARD.encode(format!("AWS:token-{number}"));
    let data = json!({
        "authorizationToken": token, "expiresAt": 4_102_444_800.5, "proxyEndpoint": format!("http://{registry}"),
    });
    (200, json!({"authorizationData": [data]}))
}

/// A task whose image is in a registry of ECR, as ACS sends it.
fn task(site: &Site, name: &str, image: &str, ecr: &Value) -> Value {
    json!({
        "arn": arn(site, name), "desiredStatus": "RUNNING", "family": "lab", "version": "3",
        "executionRoleCredentials": {
            "credentialsId": format!("id-{name}"), "roleArn": "arn:aws:iam::123456789012:role/x",
            "accessKeyId": ROLE.0, "secretAccessKey": ROLE.1, "sessionToken": "canary-role-token",
            "expiration": "2100-01-01T00:00:00Z",
        },
        "containers": [{
            "name": "main", "image": image, "essential": true, "cpu": 8, "memory": 32, "stopTimeout": 2,
            "command": ["sh", "-c", SERVE],
            "registryAuthentication": {"type": "ecr", "ecrAuthData": ecr},
        }],
    })
}

fn arn(site: &Site, name: &str) -> String {
    format!(
        "arn:aws:ecs:us-west-2:123456789012:task/lab/{}",
        site.id(name)
    )
}

fn connect(site: &mut Site, plane: &ControlPlane, ecr: &Services) {
    site.berth = std::mem::take(&mut site.berth)
        .env("ECS_CLUSTER", "lab")
        .env("AWS_DEFAULT_REGION", REGION)
        .env("ECS_BACKEND_HOST", plane.url())
        .env("AWS_ENDPOINT_URL_ECR", ecr.url.clone())
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("ECS_LOGLEVEL", "debug")
        .env("ECS_IMAGE_PULL_BEHAVIOR", "always");
}

/// A registry that lets in whoever has the first token, with the site's image in it.
async fn private_registry(site: &Site) -> Option<(Registry, String)> {
    let registry = Registry::start_for(Some(FIRST)).await?;
    let login = r#"{"username": "AWS", "password": "token-1"}"#;
    let image = registry.push_as(&site.image, "web:1", login).await;
    Some((registry, image))
}

#[tokio::test]
async fn check_143_the_execution_role_pulls_only_where_the_payload_says_so() {
    let plane = ControlPlane::start().await;
    with_site(async |site| {
        let Some((registry, image)) = private_registry(site).await else {
            return;
        };
        let address = registry.address.clone();
        let ecr = Services::start(&[ROLE, (KEY, SECRET)], move |_| token(&address, 1)).await;
        connect(site, &plane, &ecr);
        let agent = site.agent(&[]).await;
        let with_role = json!({
            "region": "eu-west-1", "registryId": "123456789012", "endpointOverride": ecr.url, "useExecutionRole": true,
        });
        let as_host = json!({"region": "us-west-2", "registryId": "123456789012"});
        let tasks = [
            task(site, "role", &image, &with_role),
            task(site, "host", &image, &as_host),
        ];
        plane.payload("m1", 1, &tasks).await;
        for name in ["role", "host"] {
            plane.change(&arn(site, name), "RUNNING").await;
        }
        let mut calls: Vec<(String, String)> = ecr
            .calls()
            .into_iter()
            .map(|call| (call.key, call.region))
            .collect();
        calls.sort();
        let expected = [(KEY, "us-west-2"), (ROLE.0, "eu-west-1")];
        let expected = expected.map(|(key, region)| (key.to_owned(), region.to_owned()));
        assert_eq!(calls, expected);
        assert_eq!(ecr.calls()[0].body, json!({"registryIds": ["123456789012"]}));
        assert_eq!(ecr.bad_signatures(), [""; 0]);
        // ECR refuses: the task ends with the reason that ECS agents give.
        ecr.say(|_| (400, json!({"__type": "AccessDeniedException", "Message": "not you"})));
        let mut refused = with_role.clone();
        refused["registryId"] = json!("210987654321");
        let refused = task(site, "refused", &image, &refused);
        plane.payload("m2", 2, &[refused]).await;
        let stopped = plane.change(&arn(site, "refused"), "STOPPED").await;
        let reason = &stopped["containers"][0]["reason"];
        let expected = "CannotPullECRContainerError: AccessDeniedException: not you";
        assert_eq!(reason, expected, "{stopped}");
        assert!(agent.end().await.success());
        let log = site.log();
        for secret in [ROLE.1, "canary-role-token", "token-1", SECRET] {
            assert!(!log.contains(secret), "{secret} is in the log");
        }
        forget(&image).await;
    })
    .await;
}

#[tokio::test]
async fn check_144_a_token_that_the_registry_refuses_is_renewed_and_the_pull_goes_on() {
    let plane = ControlPlane::start().await;
    with_site(async |site| {
        let Some((registry, image)) = private_registry(site).await else {
            return;
        };
        let address = registry.address.clone();
        let ecr = Services::start(&[ROLE, (KEY, SECRET)], move |_| token(&address, 1)).await;
        connect(site, &plane, &ecr);
        let agent = site.agent(&[]).await;
        let as_host = json!({"region": "us-west-2", "registryId": "123456789012"});
        for (sequence, name) in ["one", "two", "three"].into_iter().enumerate() {
            if name == "three" {
                registry.let_in(SECOND);
                let address = registry.address.clone();
                ecr.say(move |_| token(&address, 2));
            }
            let sequence = i64::try_from(sequence).expect("a number") + 1;
            let task = task(site, name, &image, &as_host);
            plane.payload(name, sequence, &[task]).await;
            plane.change(&arn(site, name), "RUNNING").await;
            // The second pull has the token of the first.
            let expected = if name == "three" { 2 } else { 1 };
            assert_eq!(ecr.calls().len(), expected, "{name}");
        }
        assert!(agent.end().await.success());
        forget(&image).await;
    })
    .await;
}

/// `repositoryCredentials`: the registry wants a password, Secrets Manager has it, and the execution role may read it.
/// A second task without it is refused by the registry.
#[tokio::test]
async fn check_143_a_registry_that_wants_a_password_gets_the_one_of_secrets_manager() {
    const PLACE: &str = "arn:aws:secretsmanager:us-west-2:123456789012:secret:login-AbCdEf";
    let plane = ControlPlane::start().await;
    with_site(async |site| {
        let Some((_registry, image)) = private_registry(site).await else {
            return;
        };
        let services = Services::start(&[ROLE, (KEY, SECRET)], |call| {
            assert_eq!(call.operation, "secretsmanager.GetSecretValue");
            let login = json!({"username": "AWS", "password": "token-1"}).to_string();
            (200, json!({"ARN": PLACE, "SecretString": login}))
        })
        .await;
        connect(site, &plane, &services);
        site.berth = std::mem::take(&mut site.berth)
            .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", services.url.clone());
        let agent = site.agent(&[]).await;
        let with = |name: &str, registry: Value| {
            let mut task = task(site, name, &image, &json!({}));
            task["containers"][0]["registryAuthentication"] = registry;
            task
        };
        let kept = json!({"type": "asm", "asmAuthData": {"credentialsParameter": PLACE, "region": REGION}});
        plane.payload("m1", 1, &[with("kept", kept)]).await;
        plane.change(&arn(site, "kept"), "RUNNING").await;
        let calls = services.calls();
        assert_eq!(calls.len(), 1);
        assert_eq!((calls[0].key.as_str(), &calls[0].body["SecretId"]), (ROLE.0, &json!(PLACE)));
        assert_eq!(services.bad_signatures(), [""; 0]);
        plane.payload("m2", 2, &[with("none", Value::Null)]).await;
        let stopped = plane.change(&arn(site, "none"), "STOPPED").await.to_string();
        assert!(stopped.contains("no basic auth credentials"), "{stopped}");
        assert!(agent.end().await.success());
        for secret in ["token-1", ROLE.1] {
            assert!(!site.log().contains(secret), "{secret} is in the log");
        }
        forget(&image).await;
    })
    .await;
}

/// Removes the containers and the image that a test has pulled.
async fn forget(image: &str) {
    let filter = format!("%7B%22ancestor%22%3A%5B%22{image}%22%5D%7D");
    let path = format!("/containers/json?all=1&filters={filter}");
    let listed = request(DOCKER_SOCKET, "GET", &path).await.expect("a list");
    for entry in listed.json().as_array().into_iter().flatten() {
        let id = entry["Id"].as_str().expect("an id");
        let path = format!("/containers/{id}?force=true&v=true");
        request(DOCKER_SOCKET, "DELETE", &path).await.ok();
    }
    let path = format!("/images/{image}?force=true");
    request(DOCKER_SOCKET, "DELETE", &path).await.ok();
}
