//! The agent connected to a control plane, with real containers.
#![cfg(feature = "e2e")]

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::e2e_operators::assert_clean;
use super::e2e_supervise::files_below;
use crate::support::agent::{Site, with_site};
use crate::support::control_plane::{CLUSTER_ARN, ControlPlane, INSTANCE, KEY, REGION, SECRET};
use crate::support::http::get;
use crate::support::instance_metadata::InstanceService;
use crate::support::view::{SERVE, eventually};

/// Points the site's agents at the control plane.
pub(super) fn connect(site: &mut Site, plane: &ControlPlane) {
    site.berth = std::mem::take(&mut site.berth)
        .env("ECS_CLUSTER", "lab")
        .env("AWS_DEFAULT_REGION", REGION)
        .env("ECS_BACKEND_HOST", plane.url())
        .env("ECS_INSTANCE_ATTRIBUTES", r#"{"stack": "blue"}"#)
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
}

pub(super) fn arn(site: &Site, name: &str) -> String {
    format!(
        "arn:aws:ecs:us-west-2:123456789012:task/lab/{}",
        site.id(name)
    )
}

/// A task of one container as ACS sends it.
pub(super) fn task(site: &Site, name: &str, command: &str, status: &str) -> Value {
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
                    task(site, "ends", "sleep 5; exit 3", "RUNNING"),
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
        assert_the_record_names_the_instance(site).await;
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

/// Credentials of a role as ACS sends them.
fn role(which: &str) -> Value {
    json!({
        "credentialsId": format!("canary-id-{which}"), "roleArn": "arn:aws:iam::123456789012:role/x",
        "accessKeyId": "ASIACANARY", "secretAccessKey": format!("canary-secret-{which}"),
        "sessionToken": format!("canary-token-{which}"), "expiration": "2100-01-01T00:00:00Z",
    })
}

/// With a task that runs, renewed, with one that cannot be taken in, after a restart: whatever is written by the way.
#[tokio::test]
async fn check_079_secrets_and_tokens_of_roles_are_in_no_log_and_on_no_disk() {
    let plane = ControlPlane::start().await;
    with_site(async |site| {
        connect(site, &plane);
        site.berth = std::mem::take(&mut site.berth).env("ECS_LOGLEVEL", "debug");
        let agent = site.agent(&[]).await;
        let mut serves = task(site, "serves", SERVE, "RUNNING");
        serves["roleCredentials"] = role("task");
        serves["executionRoleCredentials"] = role("execution");
        let bad = json!({"arn": arn(site, "bad"), "desiredStatus": "RUNNING", "roleCredentials": role("bad")});
        plane.payload("m1", 1, &[serves, bad]).await;
        plane.change(&arn(site, "serves"), "RUNNING").await;
        plane.change(&arn(site, "bad"), "STOPPED").await;
        let refresh = json!({
            "messageId": "r1", "taskArn": arn(site, "serves"), "roleType": "TaskApplication",
            "roleCredentials": role("task"),
        });
        plane.say("IAMRoleCredentialsMessage", refresh).await;
        plane
            .until("it is acknowledged", || {
                plane.heard_of("IAMRoleCredentialsAckRequest").pop()
            })
            .await;
        let all = ["canary-secret", "canary-token"];
        let clean = || {
            assert_clean("the log", &site.log(), &[all[0], all[1], "canary-id"]);
            let files = files_below(&site.data());
            assert!(!files.is_empty());
            for path in files {
                let bytes = std::fs::read(&path).unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes);
                assert_clean(&path.display().to_string(), &text, &all);
            }
        };
        clean();
        let before = plane.opened().len();
        assert!(agent.end().await.success());
        let agent = site.agent(&[]).await;
        plane
            .until("a session", || (plane.opened().len() > before).then_some(()))
            .await;
        assert!(agent.end().await.success());
        clean();
    })
    .await;
}

/// The host goes down, as systemd has it: what it runs for ECS is stopped, and ECS knows before the agent ends. ECS has
/// no session meanwhile in which it could place something else. Without that the same signal leaves everything running.
#[tokio::test]
async fn a_host_that_goes_down_stops_its_tasks_in_time_and_says_so() {
    let plane = ControlPlane::start().await;
    with_site(async |site| {
        connect(site, &plane);
        let bin = site.path("bin");
        std::fs::create_dir(&bin).expect("a directory");
        let state = |word: &str| {
            let script = bin.join("systemctl");
            std::fs::write(&script, format!("#!/bin/sh\necho SystemState={word}\n"))
                .expect("a script");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&script, mode).expect("a program");
        };
        let path = format!("{}:/usr/bin:/bin", bin.display());
        site.berth = std::mem::take(&mut site.berth).env("PATH", path);
        state("running");
        let agent = site.agent(&[]).await;
        let serves = arn(site, "serves");
        let slow = "trap 'sleep 1; exit 0' TERM; sleep 1000 & wait";
        let task = task(site, "serves", slow, "RUNNING");
        plane.payload("m1", 1, &[task]).await;
        plane.change(&serves, "RUNNING").await;
        assert!(agent.end().await.success());
        let running = site.containers().await;
        assert!(running.iter().any(|seen| seen.pid > 0), "{running:?}");
        state("stopping");
        let agent = site.agent(&[]).await;
        plane
            .until("a session", || plane.ping().then_some(()))
            .await;
        let opened = plane.opened().len();
        let gone = async {
            plane
                .until("no session", || (!plane.ping()).then_some(()))
                .await;
            assert_eq!(plane.changes_of(&serves).len(), 1, "it still stops");
        };
        let (ended, ()) = tokio::join!(agent.end(), gone);
        assert!(ended.success());
        assert_eq!(plane.opened().len(), opened, "another session");
        let changes = plane.changes_of(&serves);
        let last = changes.last().expect("a change");
        assert_eq!(
            (&last["status"], &last["reason"]),
            (
                &json!("STOPPED"),
                &json!("HostShutdown: the host goes down")
            )
        );
        assert_eq!(last["containers"][0]["exitCode"], 0);
        let left = site.containers().await;
        assert!(left.iter().all(|seen| seen.pid == 0), "{left:?}");
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
    for line in [
        r#"ecs_agent_connection_up{peer="control_plane"} 1"#,
        "ecs_agent_control_plane_session_age_seconds ",
        "ecs_agent_control_plane_outstanding_tasks 0",
        r#"ecs_agent_task_stage_seconds_count{stage="received"} 2"#,
        r#"ecs_agent_task_stage_seconds_count{stage="reported"} 2"#,
    ] {
        // What the control plane was told last has still to be written down.
        eventually(line, async || {
            ask("/metrics").await.contains(line).then_some(())
        })
        .await;
    }
}

async fn assert_the_record_names_the_instance(site: &Site) {
    let address = site.listener("task-server").await;
    let answer = get(address, "/v2/credentials/nobodys").await;
    let answer = answer.expect("an answer");
    assert!(answer.contains("InvalidIdInRequest"), "{answer}");
    let ending = format!(" GetCredentialsInvalidRoleType 2 lab {INSTANCE}\n");
    let record = site.data().join("audit.log");
    eventually("the refusal is in the record", async || {
        let text = std::fs::read_to_string(&record).unwrap_or_default();
        text.ends_with(&ending).then_some(())
    })
    .await;
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

/// Method: agents of one host are started with ever fewer sources, and the calls are looked at for what they are
/// signed with.
#[tokio::test]
async fn check_006_the_environment_counts_before_the_profile_and_that_before_the_instance() {
    let plane = ControlPlane::start().await;
    let service = InstanceService::start().await;
    let role = json!({
        "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "INSTANCEKEY", "SecretAccessKey": "s", "Token": "t",
        "Expiration": "2099-01-01T00:00:00Z", "LastUpdated": "2026-01-01T00:00:00Z",
    });
    let roles = "meta-data/iam/security-credentials/";
    service.tell(roles, "host");
    service.tell(&format!("{roles}host"), role.to_string());
    with_site(async |site| {
        let file = site.path("credentials");
        let profile = "[default]\naws_access_key_id = FILEKEY\naws_secret_access_key = s\n";
        std::fs::write(&file, profile).expect("a file");
        let instance_only = std::mem::take(&mut site.berth)
            .env("ECS_CLUSTER", "lab")
            .env("AWS_DEFAULT_REGION", REGION)
            .env("ECS_BACKEND_HOST", plane.url())
            .env("AWS_EC2_METADATA_DISABLED", "false")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url());
        let with_file = instance_only
            .clone()
            .env("AWS_SHARED_CREDENTIALS_FILE", file.display().to_string());
        let with_all = with_file
            .clone()
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET);
        for (berth, expected) in [
            (with_all, KEY),
            (with_file, "FILEKEY"),
            (instance_only, "INSTANCEKEY"),
        ] {
            site.berth = berth;
            let before = plane.all_calls().len();
            let agent = site.agent(&[]).await;
            let key = plane
                .until("it registers", || {
                    let calls = plane.all_calls();
                    calls.get(before).map(|call| call.key.clone())
                })
                .await;
            assert_eq!(key, expected);
            assert!(agent.end().await.success());
        }
    })
    .await;
}
