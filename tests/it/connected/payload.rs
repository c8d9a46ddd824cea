//! Payloads: what is taken in, what cannot be, and when that is acknowledged.

use berth::domain::ids::TaskArn;
use berth::domain::status::TaskStatus;
use serde_json::{Value, json};

use super::{Host, SERVE, arn, statuses, task};

#[tokio::test]
async fn check_067_a_bad_task_is_reported_the_good_one_runs_and_the_payload_is_not_acknowledged() {
    let host = Host::new().await;
    let bad = json!({"arn": arn("bad"), "containers": [{"name": "x"}], "family": "f"});
    host.plane
        .payload("m1", 1, &[bad, task("good", SERVE, "RUNNING")])
        .await;
    let stopped = host.plane.change(&arn("bad"), "STOPPED").await;
    let reason = stopped["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("UnrecogniedTaskError: Error loading task - "),
        "{reason}"
    );
    assert_eq!(stopped.get("containers"), None);
    host.plane.change(&arn("good"), "RUNNING").await;
    assert!(host.plane.heard_of("AckRequest").is_empty());
}

/// The task without containers that hangs the reference agent.
#[tokio::test]
async fn a_task_without_containers_is_reported() {
    let host = Host::new().await;
    let empty = json!({"arn": arn("empty"), "family": "f", "containers": []});
    host.plane.payload("m1", 1, &[empty]).await;
    host.plane.change(&arn("empty"), "STOPPED").await;
}

#[tokio::test]
async fn check_071_a_task_to_be_stopped_that_nobody_knows_is_reported_stopped_and_never_runs() {
    let host = Host::new().await;
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "STOPPED")])
        .await;
    host.plane.acknowledged("m1").await;
    host.plane.change(&arn("a"), "STOPPED").await;
    assert_eq!(statuses(&host.plane.changes_of(&arn("a"))), ["STOPPED"]);
    assert_eq!(host.sim.world.containers().len(), 0);
    host.plane
        .payload("m2", 2, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.acknowledged("m2").await;
    assert_eq!(
        host.status_of(&arn("a")),
        Some(TaskStatus::Stopped),
        "it does not start again"
    );
}

#[tokio::test]
async fn check_073_what_is_not_durable_is_acknowledged_when_it_comes_again() {
    let host = Host::new().await;
    host.plane
        .until("a session is open", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    host.sim.store.fail_next(1);
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane
        .say("HeartbeatMessage", json!({"messageId": "h"}))
        .await;
    host.plane
        .until("an answer", || {
            host.plane.heard_of("HeartbeatAckRequest").pop()
        })
        .await;
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.acknowledged("m1").await;
    host.plane.change(&arn("a"), "RUNNING").await;
    let acks = host.plane.heard_of("AckRequest");
    assert_eq!(acks.len(), 1, "only the second is durable: {acks:?}");
}

#[tokio::test]
async fn check_074_an_acknowledged_task_survives_a_crash_right_after_it() {
    let mut host = Host::new().await;
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.acknowledged("m1").await;
    host.crash().await;
    host.start();
    host.plane.change(&arn("a"), "RUNNING").await;
}

#[tokio::test]
async fn a_payload_of_1000_tasks_is_durable_and_acknowledged() {
    let host = Host::new().await;
    let tasks: Vec<Value> = (0..1000)
        .map(|n| task(&format!("t{n}"), SERVE, "RUNNING"))
        .collect();
    host.plane.payload("m1", 1, &tasks).await;
    host.plane.acknowledged("m1").await;
    assert_eq!(host.sim.store.tasks().len(), 1000);
}

/// A task whose container ECS has given that GPU.
fn task_with_gpu(id: &str, gpu: &str) -> Value {
    let mut task = task(id, SERVE, "RUNNING");
    task["associations"] = json!([{"name": gpu, "type": "gpu", "containers": ["main"]}]);
    task
}

#[tokio::test]
async fn a_task_with_a_gpu_runs_and_the_next_with_it_waits_until_it_has_stopped() {
    let mut host = Host::unconnected().await;
    host.list_gpus(Some(&["GPU-1"]));
    host.start();
    let (first, second) = (task_with_gpu("a", "GPU-1"), task_with_gpu("b", "GPU-1"));
    host.plane.payload("m1", 1, &[first]).await;
    host.plane.change(&arn("a"), "RUNNING").await;
    host.plane.payload("m2", 2, &[second]).await;
    host.plane.acknowledged("m2").await;
    let held = || {
        let snapshot = host.sim.snapshot();
        let view = snapshot.tasks.get(&TaskArn::parse(&arn("b")).ok()?)?;
        let conditions = view.task.known.conditions.iter();
        let mut waits = conditions.map(|wait| wait.message.clone());
        waits.find(|words| words.starts_with("GPU GPU-1, held by task "))
    };
    host.plane.until("it waits for the GPU", held).await;
    host.plane
        .payload("m3", 3, &[task("a", SERVE, "STOPPED")])
        .await;
    host.plane.change(&arn("b"), "RUNNING").await;
}

#[tokio::test]
async fn a_task_whose_gpu_is_not_there_is_reported_stopped_with_the_reason() {
    for (listed, words) in [
        (Some(&["GPU-1"][..]), "GPU GPU-9 is not in the list"),
        (None, "ECS_ENABLE_GPU_SUPPORT is not on"),
    ] {
        let mut host = Host::unconnected().await;
        host.list_gpus(listed);
        host.start();
        host.plane
            .payload("m1", 1, &[task_with_gpu("a", "GPU-9")])
            .await;
        host.plane.acknowledged("m1").await;
        let stopped = host.plane.change(&arn("a"), "STOPPED").await;
        let reason = stopped["reason"].as_str().expect("a reason");
        assert!(reason.contains(words), "{reason}");
        assert_eq!(host.sim.world.containers().len(), 0);
    }
}
