//! Credentials by ACS as tasks get them.

use std::sync::Arc;

use async_trait::async_trait;
use berth::boundary::credentials::CredentialsSource;
use berth::boundary::{BoundaryError, ErrorKind};
use berth::domain::credentials::{Credentials, CredentialsId, RoleArn, RoleGrant, RoleKind};
use berth::domain::ids::TaskArn;
use berth::ecs::AcsSource;
use serde_json::{Value, json};

use super::{Host, SERVE, arn, task};

struct Nowhere;

#[async_trait]
impl CredentialsSource for Nowhere {
    async fn fetch(&self, _: &RoleGrant) -> Result<Credentials, BoundaryError> {
        Err(BoundaryError::new("fetch", ErrorKind::Denied, "no"))
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}

fn given(id: &str, key: &str) -> Value {
    json!({
        "credentialsId": id, "roleArn": "arn:aws:iam::123456789012:role/r", "accessKeyId": key,
        "secretAccessKey": "marked", "sessionToken": "marked", "expiration": "2030-01-01T00:00:00Z",
    })
}

/// What a container gets that asks by `id`.
async fn key_of(host: &Host, id: &str) -> Option<String> {
    let source = AcsSource::new(host.sent.clone(), Arc::new(Nowhere));
    let grant = RoleGrant {
        id: CredentialsId::parse(id).expect("an id"),
        owner: TaskArn::parse(&arn("a")).expect("an ARN"),
        kind: RoleKind::Task,
        role: RoleArn::parse("arn:aws:iam::123456789012:role/r").expect("a role"),
    };
    let found = source.fetch(&grant).await.ok()?;
    Some(found.access_key_id.expose().to_owned())
}

async fn refreshed(host: &Host, message_id: &str, credentials: Value) {
    let refresh = json!({
        "messageId": message_id, "taskArn": arn("a"), "roleType": "TaskApplication",
        "roleCredentials": credentials,
    });
    host.plane.say("IAMRoleCredentialsMessage", refresh).await;
    host.plane
        .until("it is acknowledged", || {
            let acks = host.plane.heard_of("IAMRoleCredentialsAckRequest");
            acks.into_iter().find(|ack| ack["messageId"] == message_id)
        })
        .await;
}

/// Containers know the id that they were made with and no other.
#[tokio::test]
async fn check_075_new_credentials_are_served_under_the_id_that_containers_were_told() {
    let host = Host::new().await;
    let mut with_role = task("a", SERVE, "RUNNING");
    with_role["roleCredentials"] = given("11111111-first", "KEY1");
    host.plane.payload("m1", 1, &[with_role]).await;
    host.plane.change(&arn("a"), "RUNNING").await;
    assert_eq!(
        key_of(&host, "11111111-first").await.as_deref(),
        Some("KEY1")
    );
    refreshed(&host, "r1", given("11111111-first", "KEY2")).await;
    assert_eq!(
        key_of(&host, "11111111-first").await.as_deref(),
        Some("KEY2")
    );
    refreshed(&host, "r2", given("22222222-other", "KEY3")).await;
    for id in ["11111111-first", "22222222-other"] {
        assert_eq!(key_of(&host, id).await.as_deref(), Some("KEY3"), "{id}");
    }
    let acks = host.plane.heard_of("IAMRoleCredentialsAckRequest");
    let ids: Vec<&Value> = acks.iter().map(|ack| &ack["credentialsId"]).collect();
    assert_eq!(ids, ["11111111-first", "11111111-first", "22222222-other"]);
}
