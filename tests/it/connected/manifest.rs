//! Manifests: what ECS wants to run, compared with what does.

use berth::boundary::store::InstanceStore as _;
use serde_json::{Value, json};

use super::{Host, SERVE, arn, statuses, task};
use crate::support::control_plane::{CLUSTER_ARN, INSTANCE};

fn manifest(id: &str, number: i64) -> Value {
    json!({
        "messageId": id, "clusterArn": CLUSTER_ARN, "containerInstanceArn": INSTANCE, "timeline": number,
        "tasks": [],
    })
}

/// Whichever read of the store fails at the start: registering again reads it a few times.
#[tokio::test]
async fn check_091_a_read_that_fails_forgets_no_number() {
    let mut host = Host::new().await;
    host.plane
        .say("TaskManifestMessage", manifest("five", 5))
        .await;
    host.plane.acknowledged("five").await;
    for good in 0..3 {
        let opened = host.plane.opened().len();
        host.crash().await;
        host.sim.store.fail_reads(good, 1);
        host.start();
        host.plane
            .until("a session is open again", || {
                (host.plane.opened().len() > opened).then_some(())
            })
            .await;
        host.plane
            .say("TaskManifestMessage", manifest("old", 4))
            .await;
        let id = format!("new{good}");
        let number = 6 + i64::from(good);
        host.plane
            .say("TaskManifestMessage", manifest(&id, number))
            .await;
        host.plane.acknowledged(&id).await;
        assert!(host.sim.store.reads_have_failed(), "{good}");
    }
    let acks = host.plane.heard_of("AckRequest");
    assert!(acks.iter().all(|ack| ack["messageId"] != "old"), "{acks:?}");
}

#[tokio::test]
async fn check_088_to_090_a_manifest_stops_what_is_confirmed_and_nothing_else() {
    let host = Host::new().await;
    host.plane
        .payload(
            "m1",
            1,
            &[task("a", SERVE, "RUNNING"), task("b", SERVE, "RUNNING")],
        )
        .await;
    host.plane.change(&arn("b"), "RUNNING").await;
    let manifest = json!({
        "messageId": "manifest", "clusterArn": CLUSTER_ARN, "containerInstanceArn": INSTANCE, "timeline": 5,
        "tasks": [{"taskArn": arn("b"), "desiredStatus": "RUNNING"}],
    });
    host.plane.say("TaskManifestMessage", manifest).await;
    host.plane.acknowledged("manifest").await;
    let facts = host.sim.store.facts().await.expect("facts");
    assert_eq!(facts["task-manifest-seq-num"], "5", "check 091");
    let asked = host
        .plane
        .until("it asks", || {
            host.plane.heard_of("TaskStopVerificationMessage").pop()
        })
        .await;
    let candidates = asked["stopCandidates"].as_array().expect("a list").len();
    assert_eq!(
        (candidates, &asked["stopCandidates"][0]["taskArn"]),
        (1, &json!(arn("a")))
    );
    // The disk is full meanwhile, and ECS does not ask again for what it has confirmed.
    host.sim.store.fail_next(3);
    host.plane
        .say(
            "TaskStopVerificationAck",
            json!({"messageId": "manifest", "stopTasks": [{"taskArn": arn("a")}]}),
        )
        .await;
    host.plane.change(&arn("a"), "STOPPED").await;
    assert_eq!(statuses(&host.plane.changes_of(&arn("b"))), ["RUNNING"]);
}
