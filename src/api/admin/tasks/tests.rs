//! Tasks through the router: what is asked over HTTP against what the engine is told and what the caller is told.

use axum::http::StatusCode;

use crate::api::admin::testing::{Rig, arn, request, running, snapshot_of, task};
use crate::domain::definition::NetworkMode;
use crate::reconcile::snapshot::Snapshot;

const WEB: &str = r#"{"family": "web", "containerDefinitions": [{"name": "app", "image": "registry.test/web:1", "memory": 64}]}"#;
const OTHER: &str = r#"{"family": "web", "containerDefinitions": [{"name": "app", "image": "registry.test/web:2", "memory": 64}]}"#;

async fn put(rig: &mut Rig, path: &str, body: &str) -> (StatusCode, serde_json::Value) {
    let answer = rig.send(request("PUT", path, body)).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn the_same_put_again_changes_nothing_and_another_one_is_refused() {
    let mut rig = Rig::new(Snapshot::default());
    let (status, body) = put(&mut rig, "/v1/tasks/web-1", WEB).await;
    assert_eq!(
        (status, &body["outcome"]),
        (StatusCode::CREATED, &"created".into())
    );
    for _ in 0..2 {
        let (status, body) = put(&mut rig, "/v1/tasks/web-1", WEB).await;
        assert_eq!(
            (status, &body["outcome"]),
            (StatusCode::OK, &"unchanged".into())
        );
        assert_eq!(body["generation"], 1);
    }
    let (status, body) = put(&mut rig, "/v1/tasks/web-1", OTHER).await;
    assert_eq!(
        (status, &body["type"]),
        (
            StatusCode::CONFLICT,
            &"urn:berth:problem:task-conflict".into()
        )
    );
    assert_eq!(rig.state.observe.engine.snapshot().tasks.len(), 1);
}

#[tokio::test]
async fn a_put_by_its_full_arn_is_a_put_by_its_id() {
    let mut rig = Rig::new(Snapshot::default());
    put(&mut rig, "/v1/tasks/web-1", WEB).await;
    let path = "/v1/tasks/arn%3Aaws%3Aecs%3Alocal%3A000000000000%3Atask%2Fdefault%2Fweb-1";
    let (status, body) = put(&mut rig, path, WEB).await;
    assert_eq!((status, &body["taskId"]), (StatusCode::OK, &"web-1".into()));
}

#[tokio::test]
async fn a_put_on_condition_holds_only_at_that_generation() {
    let mut rig = Rig::new(Snapshot::default());
    for (generation, status) in [("\"1\"", 404), ("1", 400)] {
        let mut conditional = request("PUT", "/v1/tasks/web-1", WEB);
        let value = generation.parse().expect("a header");
        conditional.headers_mut().insert("if-match", value);
        assert_eq!(rig.send(conditional).await.status, status, "{generation}");
    }
    let created = rig.send(request("PUT", "/v1/tasks/web-1", WEB)).await;
    assert_eq!(created.headers["etag"], "\"1\"");
    assert_eq!(created.headers["location"], "/v1/tasks/web-1");
    for (generation, status) in [("\"1\"", 200), ("\"2\"", 412)] {
        let mut conditional = request("PUT", "/v1/tasks/web-1", WEB);
        let value = generation.parse().expect("a header");
        conditional.headers_mut().insert("if-match", value);
        assert_eq!(rig.send(conditional).await.status, status, "{generation}");
    }
}

#[tokio::test]
async fn options_reach_the_engine() {
    let mut rig = Rig::new(Snapshot::default());
    let path = "/v1/tasks/web-1?networkAs=host&ignoreCompatibilities";
    assert_eq!(put(&mut rig, path, WEB).await.0, StatusCode::CREATED);
    let snapshot = rig.state.observe.engine.snapshot();
    let options = &snapshot.tasks[&arn("web-1")].task.desired.options;
    assert_eq!(options.network_as, Some(NetworkMode::Host));
    assert!(options.ignore_compatibilities);
}

#[tokio::test]
async fn each_post_is_another_task() {
    let mut rig = Rig::new(Snapshot::default());
    for _ in 0..2 {
        let answer = rig.send(request("POST", "/v1/tasks", WEB)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    }
    assert_eq!(rig.state.observe.engine.snapshot().tasks.len(), 2);
}

#[tokio::test]
async fn a_refused_definition_names_its_fields_and_changes_nothing() {
    let mut rig = Rig::new(Snapshot::default());
    let bad = r#"{"family": "web", "containerDefinitions": [{"name": "a/b", "image": "registry.test/web:1"}]}"#;
    let (status, body) = put(&mut rig, "/v1/tasks/web-1", bad).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(body["errors"][0]["path"], "containerDefinitions[0].name");
    let (status, body) = put(&mut rig, "/v1/tasks/web-1", "{\n  \"family\": }").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let message = body["errors"][0]["message"].as_str().expect("a message");
    assert!(
        message.contains("line 2") && message.contains("column 13"),
        "{message}"
    );
    assert!(rig.state.observe.engine.snapshot().tasks.is_empty());
}

#[tokio::test]
async fn stop_and_delete_are_accepted_and_take_no_prefix() {
    let mut rig = Rig::new(snapshot_of([running("job-10"), running("other")]));
    for (method, path) in [
        ("POST", "/v1/tasks/job-1/stop"),
        ("DELETE", "/v1/tasks/job-1"),
    ] {
        let answer = rig.send(request(method, path, "")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    let stop = request("POST", "/v1/tasks/job-10/stop?reason=too%20loud", "");
    let stopped = rig.send(stop).await;
    assert_eq!(
        (stopped.status, &stopped.json()["generation"]),
        (StatusCode::ACCEPTED, &2.into())
    );
    let shown = rig.get("/v1/tasks/job-10").await.json();
    assert_eq!(shown["why"], "stopped: too loud");
    let removed = rig.send(request("DELETE", "/v1/tasks/job-10", "")).await;
    assert_eq!(removed.status, StatusCode::ACCEPTED);
    assert_eq!(
        rig.get("/v1/tasks/job-10").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_reason_longer_than_ecs_takes_is_refused() {
    let mut rig = Rig::new(snapshot_of([running("a")]));
    let path = format!("/v1/tasks/a/stop?reason={}", "x".repeat(1_025));
    let answer = rig.send(request("POST", &path, "")).await;
    assert_eq!(answer.json()["errors"][0]["path"], "query.reason");
}

#[tokio::test]
async fn an_engine_that_has_shut_down_says_so() {
    let mut rig = Rig::new(Snapshot::default());
    let (_, other) = crate::reconcile::detached::detached(Snapshot::default());
    drop(std::mem::replace(&mut rig.engine, other));
    let response = tower::ServiceExt::oneshot(rig.router, request("PUT", "/v1/tasks/a", WEB)).await;
    assert_eq!(
        response.expect("infallible").status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn a_task_in_full() {
    let mut rig = Rig::new(snapshot_of([running("web-1")]));
    let answer = rig.get("/v1/tasks/web").await;
    assert_eq!(answer.headers["etag"], "\"1\"");
    insta::assert_snapshot!(answer.shown(), @r#"
    200
    {
      "now": "2026-01-02T03:04:05.000Z",
      "taskArn": "arn:aws:ecs:local:000000000000:task/default/web-1",
      "taskId": "web-1",
      "family": "web",
      "revision": 3,
      "status": "RUNNING",
      "desiredStatus": "RUNNING",
      "converged": true,
      "why": "runs as asked",
      "origin": "api",
      "arrivedAt": "2026-01-02T03:02:05.000Z",
      "startedAt": "2026-01-02T03:03:05.000Z",
      "ports": [],
      "desired": {
        "generation": 1,
        "status": "RUNNING",
        "remove": false,
        "ignoreCompatibilities": false
      },
      "known": {
        "observedGeneration": 1
      },
      "containers": [
        {
          "name": "app",
          "image": "registry.test/web:1",
          "essential": true,
          "status": "RUNNING",
          "health": "UNKNOWN",
          "dockerId": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
          "runningSince": "2026-01-02T03:03:05.000Z",
          "restartCount": 0,
          "degradedLog": false,
          "ports": []
        }
      ],
      "resources": [],
      "conditions": [],
      "inFlight": [],
      "planned": [],
      "timeline": []
    }
    "#);
}

#[tokio::test]
async fn a_list_of_tasks() {
    let mut rig = Rig::new(snapshot_of([running("web-1"), task("web-2")]));
    let answer = rig.get("/v1/tasks?status=PENDING").await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200
    {
      "now": "2026-01-02T03:04:05.000Z",
      "tasks": [
        {
          "taskArn": "arn:aws:ecs:local:000000000000:task/default/web-2",
          "taskId": "web-2",
          "family": "web",
          "revision": 3,
          "status": "PENDING",
          "desiredStatus": "RUNNING",
          "converged": false,
          "why": "the engine has not looked at it yet",
          "origin": "api",
          "arrivedAt": "2026-01-02T03:02:05.000Z",
          "ports": []
        }
      ]
    }
    "#);
}
