//! Docker's log driver for `CloudWatch`, which asks the agent for the credentials of the task's execution role.
#![cfg(feature = "e2e")]

use serde_json::{Value, json};

use crate::support::agent::{Site, with_site};
use crate::support::control_plane::{ControlPlane, KEY, REGION, SECRET};
use crate::support::services::{Call, Services};
use crate::support::view::eventually;

const ROLE: (&str, &str) = ("ROLEKEY", "canary-role-secret");

fn arn(site: &Site, name: &str) -> String {
    format!(
        "arn:aws:ecs:us-west-2:123456789012:task/lab/{}",
        site.id(name)
    )
}

fn task(site: &Site, logs: &str) -> Value {
    let options = json!({
        "awslogs-group": "lab", "awslogs-region": REGION, "awslogs-stream": "s", "awslogs-endpoint": logs,
        "mode": "blocking",
    });
    let host = json!({"LogConfig": {"Type": "awslogs", "Config": options}});
    json!({
        "arn": arn(site, "writes"), "desiredStatus": "RUNNING", "family": "lab", "version": "3",
        "executionRoleCredentials": {
            "credentialsId": "id-writes", "roleArn": "arn:aws:iam::123456789012:role/x",
            "accessKeyId": ROLE.0, "secretAccessKey": ROLE.1, "sessionToken": "canary-role-token",
            "expiration": "2100-01-01T00:00:00Z",
        },
        "containers": [{
            "name": "main", "image": site.image, "essential": true, "cpu": 8, "memory": 32, "stopTimeout": 2,
            "command": ["sh", "-c", "echo canary-line; exit 0"], "logsAuthStrategy": "ExecutionRole",
            "dockerConfig": {"config": "{}", "version": "1.17", "hostConfig": host.to_string()},
        }],
    })
}

/// `CloudWatch` takes everything.
fn taken(_: &Call) -> (u16, Value) {
    (200, json!({"nextSequenceToken": "1"}))
}

/// CP-077: the driver, which is a process of the host, gets them; what it writes is signed with them.
#[tokio::test]
async fn check_077_logs_go_to_cloudwatch_with_the_execution_role() {
    let plane = ControlPlane::start().await;
    with_site(async |site| {
        site.give_address();
        let logs = Services::start(&[ROLE], taken).await;
        site.berth = std::mem::take(&mut site.berth)
            .env("ECS_CLUSTER", "lab")
            .env("AWS_DEFAULT_REGION", REGION)
            .env("ECS_BACKEND_HOST", plane.url())
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("BERTH_LOG_FAILURE", "fail");
        let agent = site.agent(&[]).await;
        plane.payload("m1", 1, &[task(site, &logs.url)]).await;
        let stopped = plane.change(&arn(site, "writes"), "STOPPED").await;
        assert_eq!(stopped["containers"][0]["exitCode"], 0, "{stopped}");
        let written = eventually("the line is there", async || {
            let calls = logs.calls().into_iter();
            calls
                .filter(|call| call.operation.ends_with(".PutLogEvents"))
                .find(|call| call.body.to_string().contains("canary-line"))
        })
        .await;
        assert_eq!(
            (written.key.as_str(), written.region.as_str()),
            (ROLE.0, REGION)
        );
        assert_eq!(logs.bad_signatures(), [""; 0]);
        let registered = &plane.calls("RegisterContainerInstance")[0]["attributes"];
        let named = registered.as_array().expect("a list").iter();
        let mut named = named.filter_map(|it| it["name"].as_str());
        assert!(named.any(|name| name == "ecs.capability.execution-role-awslogs"));
        assert!(agent.end().await.success());
        assert!(!site.log().contains(ROLE.1));
    })
    .await;
}
