//! The agent connected to a control plane, with real containers.
#![cfg(feature = "e2e")]

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::agent::{Site, with_site};
use crate::support::control_plane::{CLUSTER_ARN, ControlPlane, INSTANCE, KEY, REGION, SECRET};
use crate::support::http::get;
use crate::support::view::{SERVE, eventually};

/// Points the site's agents at the control plane.
fn connect(site: &mut Site, plane: &ControlPlane) {
    site.berth = std::mem::take(&mut site.berth)
        .env("ECS_CLUSTER", "lab")
        .env("AWS_DEFAULT_REGION", REGION)
        .env("ECS_BACKEND_HOST", plane.url())
        .env("ECS_INSTANCE_ATTRIBUTES", r#"{"stack": "blue"}"#)
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
}

fn arn(site: &Site, name: &str) -> String {
    format!(
        "arn:aws:ecs:us-west-2:123456789012:task/lab/{}",
        site.id(name)
    )
}

/// A task of one container as ACS sends it.
fn task(site: &Site, name: &str, command: &str, status: &str) -> Value {
    json!({
        "arn": arn(site, name), "desiredStatus": status, "family": "lab", "version": "3", "overrides": "{}",
        "networkMode": "bridge", "launchType": "EC2",
        "containers": [{
            "name": "main", "image": site.image, "essential": true, "cpu": 8, "memory": 32, "stopTimeout": 2,
            "command": ["sh", "-c", command], "environment": {"A": "1"}, "overrides": "{}",
            "portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}],
            "dockerConfig": {"config": "{}", "hostConfig": r#"{"NetworkMode": "bridge", "CapAdd": [], "CapDrop": []}"#,
                "version": "1.17"},
        }],
    })
}

/// CP-004, 008, 015, 035, 036, 041, 044, 065, 098, 099, 104, 109, 112.
#[tokio::test]
async fn a_task_of_the_control_plane_runs_and_is_reported_with_its_exit_code() {
    let plane = ControlPlane::start().await;
    with_site(async |site| {
        connect(site, &plane);
        let agent = site.agent(&[]).await;
        let (runs, ends) = (arn(site, "runs"), arn(site, "ends"));
        plane
            .payload(
                "m1",
                1,
                &[
                    task(site, "runs", SERVE, "RUNNING"),
                    task(site, "ends", "sleep 1; exit 3", "RUNNING"),
                ],
            )
            .await;
        plane.acknowledged("m1").await;
        let running = plane.change(&runs, "RUNNING").await;
        assert_eq!(
            (&running["cluster"], &running["reason"]),
            (&json!("lab"), &json!(""))
        );
        let main = &running["containers"][0];
        assert_eq!(
            (&main["containerName"], &main["status"]),
            (&json!("main"), &json!("RUNNING"))
        );
        assert_eq!(main["runtimeId"].as_str().map(str::len), Some(64));
        let binding = &main["networkBindings"][0];
        assert_eq!(
            (&binding["containerPort"], &binding["bindIP"]),
            (&json!(80), &json!("0.0.0.0"))
        );
        let stopped = plane.change(&ends, "STOPPED").await;
        assert_eq!(stopped["containers"][0]["exitCode"], 3);
        assert_eq!(stopped["containers"][0]["status"], "STOPPED");
        assert!(
            stopped["executionStoppedAt"].as_f64().expect("seconds") > 1.7e9,
            "{stopped}"
        );
        plane
            .payload("m2", 2, &[task(site, "runs", SERVE, "STOPPED")])
            .await;
        plane.acknowledged("m2").await;
        let stopped = plane.change(&runs, "STOPPED").await;
        assert_eq!(stopped["containers"][0]["exitCode"], 0);
        assert_says_who_it_is(&plane);
        assert_operators_see_it(site.listener("introspection").await).await;
        for change in [plane.changes_of(&runs), plane.changes_of(&ends)] {
            let statuses: Vec<&str> = change
                .iter()
                .filter_map(|it| it["status"].as_str())
                .collect();
            assert_eq!(statuses, ["RUNNING", "STOPPED"]);
        }
        assert_eq!(plane.bad_signatures(), [""; 0]);
        assert!(agent.end().await.success());
    })
    .await;
}

/// What an operator sees of the session: in health, in metrics, and in the metadata of ECS agents.
async fn assert_operators_see_it(address: SocketAddr) {
    let ask = async |path| get(address, path).await.expect("an answer");
    let metadata = ask("/v1/metadata").await;
    assert!(metadata.contains(INSTANCE), "{metadata}");
    let health = ask("/healthz").await;
    assert!(health.contains(r#""controlPlaneSeconds":"#), "{health}");
    let metrics = ask("/metrics").await;
    for line in [
        r#"ecs_agent_connection_up{peer="control_plane"} 1"#,
        "ecs_agent_control_plane_session_age_seconds ",
        "ecs_agent_control_plane_outstanding_tasks 0",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

fn assert_says_who_it_is(plane: &ControlPlane) {
    let registration = &plane.calls("RegisterContainerInstance")[0];
    assert_eq!(registration["cluster"], "lab");
    assert_eq!(
        registration["attributes"][0],
        json!({"name": "stack", "value": "blue"})
    );
    assert_eq!(registration["clientToken"].as_str().map(str::len), Some(36));
    assert_eq!(registration["instanceIdentityDocument"], "");
    let discovery = &plane.calls("DiscoverPollEndpoint")[0];
    assert_eq!(
        *discovery,
        json!({"containerInstance": INSTANCE, "cluster": "lab", "zoneId": ""})
    );
    let query = &plane.opened()[0];
    assert!(
        query.contains(&("containerInstanceArn".to_owned(), INSTANCE.to_owned())),
        "{query:?}"
    );
}

/// CP-008, 074, 089, 091, 104, 105: kill -9 with tasks running, and what ended meanwhile is told once.
#[tokio::test]
async fn a_killed_agent_comes_back_as_the_same_instance_and_tells_what_happened_meanwhile() {
    let plane = ControlPlane::start().await;
    with_site(async |site| {
        connect(site, &plane);
        let agent = site.agent(&[]).await;
        let (stays, ends) = (arn(site, "stays"), arn(site, "ends"));
        let go = site.path("go");
        let wait = "while ! test -e /go/go; do sleep 0.1; done; exit 5";
        let mut ending = task(site, "ends", wait, "RUNNING");
        let directory = go.parent().expect("a directory").display().to_string();
        ending["volumes"] = json!([{"name": "go", "type": "host", "host": {"sourcePath": directory}}]);
        ending["containers"][0]["mountPoints"] = json!([{"sourceVolume": "go", "containerPath": "/go", "readOnly": true}]);
        plane.payload("m1", 1, &[task(site, "stays", SERVE, "RUNNING"), ending]).await;
        plane.acknowledged("m1").await;
        plane.change(&stays, "RUNNING").await;
        plane.change(&ends, "RUNNING").await;
        let before = site.running().await;
        agent.kill().await;
        std::fs::write(&go, "").expect("a file");
        eventually("it ends while no agent looks", async || {
            (site.running().await.len() < before.len()).then_some(())
        })
        .await;
        let agent = site.agent(&[]).await;
        let stopped = plane.change(&ends, "STOPPED").await;
        assert_eq!(stopped["containers"][0]["exitCode"], 5);
        plane.until("it registers again", || (plane.calls("RegisterContainerInstance").len() == 2).then_some(())).await;
        let again = &plane.calls("RegisterContainerInstance")[1];
        assert_eq!(again["containerInstanceArn"], INSTANCE);
        assert!(!again["attributes"].as_array().expect("a list").iter().any(|it| it["name"] == "stack"));
        // The manifest knows nothing of the task that stays: it is asked about, and stopped when that is confirmed.
        let manifest = json!({
            "messageId": "manifest", "clusterArn": CLUSTER_ARN, "containerInstanceArn": INSTANCE, "timeline": 9, "tasks": [],
        });
        plane.say("TaskManifestMessage", manifest).await;
        plane.acknowledged("manifest").await;
        let asked = plane.until("it asks", || plane.heard_of("TaskStopVerificationMessage").pop()).await;
        assert_eq!(asked["stopCandidates"][0]["taskArn"], stays);
        assert_eq!(site.running().await.len(), 1, "nothing stops before it is confirmed");
        assert!(before.iter().any(|seen| seen.task == stays && site_has(&before, seen)), "{before:?}");
        plane
            .say("TaskStopVerificationAck", json!({"messageId": "manifest", "stopTasks": [{"taskArn": stays}]}))
            .await;
        plane.change(&stays, "STOPPED").await;
        for (arn, expected) in [(&stays, ["RUNNING", "STOPPED"]), (&ends, ["RUNNING", "STOPPED"])] {
            let changes = plane.changes_of(arn);
            let mut statuses: Vec<&str> = changes.iter().filter_map(|it| it["status"].as_str()).collect();
            // What was on its way when the agent was killed is told again; nothing is told out of order.
            statuses.dedup();
            assert_eq!(statuses, expected, "in order");
        }
        assert!(agent.end().await.success());
    })
    .await;
}

fn site_has(all: &[crate::support::agent::Seen], one: &crate::support::agent::Seen) -> bool {
    all.contains(one)
}
