//! Draining through the API, before an engine that is a map.

use crate::api::admin::testing::{Rig, ago, request, running, snapshot_of, task};

#[tokio::test]
async fn an_instance_drains_until_it_is_told_otherwise() {
    let mut started = running("a");
    started.task.known.admitted_at = Some(ago(60));
    let mut rig = Rig::new(snapshot_of([started, task("b")]));
    let at_first = rig.get("/v1/drain").await;
    assert_eq!(at_first.json()["draining"], false);
    let drained = rig
        .send(request("PUT", "/v1/drain?reason=%20a%20new%20kernel", ""))
        .await;
    insta::assert_snapshot!(drained.shown(), @r#"
    200
    {
      "now": "2026-01-02T03:04:05.000Z",
      "draining": true,
      "since": "2026-01-02T03:04:05.000Z",
      "reason": "a new kernel",
      "activeTasks": 1,
      "waitingTasks": 1
    }
    "#);
    assert_eq!(rig.get("/v1/drain").await.json(), drained.json());
    let again = rig.send(request("PUT", "/v1/drain?reason=other", "")).await;
    assert_eq!(
        again.json()["reason"],
        "a new kernel",
        "the first one counts"
    );
    for _ in 0..2 {
        let ended = rig.send(request("DELETE", "/v1/drain", "")).await;
        assert_eq!(ended.status, 200);
        assert_eq!(ended.json()["draining"], false);
    }
}

#[tokio::test]
async fn a_bad_query_changes_nothing_and_is_named() {
    let mut rig = Rig::new(snapshot_of([]));
    let long = format!("/v1/drain?reason={}", "x".repeat(1025));
    let refused = rig.send(request("PUT", &long, "")).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["errors"][0]["path"], "query.reason");
    let refused = rig.send(request("DELETE", "/v1/drain?now", "")).await;
    assert_eq!(refused.status, 400);
    assert_eq!(rig.get("/v1/drain").await.json()["draining"], false);
}

#[tokio::test]
async fn an_engine_that_is_busy_or_has_ended_says_so() {
    let rig = Rig::new(snapshot_of([]));
    drop(rig.engine);
    let request = request("PUT", "/v1/drain", "");
    let response = tower::ServiceExt::oneshot(rig.router, request).await;
    assert_eq!(response.expect("infallible").status(), 503);
}
