//! What holds for every route: problem documents, layers, and answers that the document knows.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use proptest::prelude::*;

use super::openapi;
use super::testing::{Rig, ago, condition, container_name, request, running, snapshot_of, task};
use crate::api::observe::probes::Check;
use crate::domain::ids::{Generation, UnixMillis};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::runtime::PullProgress;
use crate::domain::status::{DesiredStatus, TaskStatus};
use crate::domain::task::{Cause, Step, StopCause};
use crate::reconcile::snapshot::{EngineView, InFlight, Snapshot, TaskView};

/// The problem documents of these requests.
async fn problems(requests: &[(&str, &str)]) -> String {
    let mut rig = Rig::new(snapshot_of([task("abc1"), task("abc2")]));
    let mut shown = Vec::new();
    for (method, path) in requests {
        let answer = rig.send(request(method, path, "")).await;
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        shown.push(format!("{method} {path}\n{}", answer.shown()));
    }
    shown.join("\n\n")
}

#[tokio::test]
async fn what_the_framework_refuses_looks_like_all_other_refusals() {
    let requests = [
        ("GET", "/v1/nothing"),
        ("PATCH", "/v1/tasks"),
        ("GET", "/v1/tasks/%FF"),
    ];
    insta::assert_snapshot!(problems(&requests).await, @r#"
    GET /v1/nothing
    404
    {
      "type": "urn:berth:problem:no-such-route",
      "title": "there is nothing at this path",
      "status": 404
    }

    PATCH /v1/tasks
    405
    {
      "type": "urn:berth:problem:wrong-method",
      "title": "the path does not take this method",
      "status": 405
    }

    GET /v1/tasks/%FF
    400
    {
      "type": "urn:berth:problem:bad-request",
      "title": "the request cannot be understood",
      "status": 400,
      "errors": [
        {
          "path": "path.id",
          "message": "is not percent-encoded UTF-8"
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn a_refusal_names_the_field_or_the_candidates() {
    let requests = [
        ("GET", "/v1/tasks/xyz"),
        ("GET", "/v1/tasks/abc"),
        ("GET", "/v1/tasks?status=GONE&colour=red"),
    ];
    insta::assert_snapshot!(problems(&requests).await, @r#"
    GET /v1/tasks/xyz
    404
    {
      "type": "urn:berth:problem:task-not-found",
      "title": "there is no such task",
      "status": 404,
      "detail": "no task has the id, id prefix or ARN \"xyz\""
    }

    GET /v1/tasks/abc
    409
    {
      "type": "urn:berth:problem:ambiguous-task",
      "title": "several tasks match",
      "status": 409,
      "detail": "\"abc\" is the beginning of several task ids",
      "candidates": [
        "arn:aws:ecs:local:000000000000:task/default/abc1",
        "arn:aws:ecs:local:000000000000:task/default/abc2"
      ]
    }

    GET /v1/tasks?status=GONE&colour=red
    400
    {
      "type": "urn:berth:problem:bad-request",
      "title": "the request cannot be understood",
      "status": 400,
      "errors": [
        {
          "path": "query.status",
          "message": "is \"GONE\", allowed are PENDING, CREATED, RUNNING and STOPPED"
        },
        {
          "path": "query.colour",
          "message": "is not a parameter of this path"
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let mut rig = Rig::new(Snapshot::default());
    let answer = rig.send(request("PATCH", "/v1/health", "")).await;
    assert_eq!(answer.headers["allow"], "GET,HEAD");
}

#[tokio::test]
async fn a_body_over_ten_mib_is_refused() {
    let mut rig = Rig::new(Snapshot::default());
    let body = " ".repeat(10 * 1024 * 1024 + 1);
    let answer = rig.send(request("PUT", "/v1/tasks/a", &body)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["type"], "urn:berth:problem:body-too-large");
}

#[tokio::test]
async fn a_panic_is_an_opaque_answer_with_a_request_id() {
    let rig = Rig::new(Snapshot::default());
    let routes = axum::Router::new().route(
        "/",
        axum::routing::get(async || -> StatusCode { panic!("/secret/path") }),
    );
    let mut rig = rig.with_routes(routes);
    let answer = rig.get("/").await;
    insta::assert_snapshot!(answer.shown(), @r#"
    500
    {
      "type": "urn:berth:problem:internal",
      "title": "the agent failed to answer",
      "status": 500,
      "requestId": "00000000000000000000000000000000"
    }
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_given_up() {
    let rig = Rig::new(Snapshot::default());
    let hang = std::future::pending::<StatusCode>;
    let routes = axum::Router::new().route("/", axum::routing::get(hang));
    let mut rig = rig.with_routes(routes);
    let answer = rig.get("/").await;
    assert_eq!(answer.json()["type"], "urn:berth:problem:timed-out");
}

#[tokio::test]
async fn health_tells_troubles_and_is_200_all_the_same() {
    let mut rig = Rig::new(snapshot_of([task("a")]));
    assert_eq!(rig.get("/v1/health").await.json()["status"], "ok");
    let mut rig = Rig::new(Snapshot::default());
    let answer = rig.get("/v1/health").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["status"], "degraded");
    assert_eq!(answer.json()["troubles"][0], "Docker has not answered yet");
    let ecs = Check::warn("ecs", "not connected");
    let mut rig = Rig::beside(snapshot_of([task("a")]), vec![ecs]);
    let answer = rig.get("/v1/health").await;
    assert_eq!(answer.json()["status"], "degraded");
    let troubles = serde_json::json!(["ecs: not connected"]);
    assert_eq!(answer.json()["troubles"], troubles);
}

#[tokio::test]
async fn a_plan_shows_steps_and_findings_or_names_the_errors() {
    let mut rig = Rig::new(Snapshot::default());
    let text = r#"{"family": "web", "containerDefinitions": [{"name": "app", "image": "registry.test/web:1", "memory": 64}]}"#;
    let answer = rig
        .send(request("POST", "/v1/plan?networkAs=bridge", text))
        .await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200
    {
      "family": "web",
      "revision": 0,
      "runs": true,
      "warnings": [],
      "findings": [
        {
          "path": "networkMode",
          "effect": "changed",
          "message": "becomes Some(Bridge)"
        }
      ],
      "steps": [
        {
          "after": [],
          "call": "pull registry.test/web:1"
        }
      ]
    }
    "#);
    let answer = rig.send(request("POST", "/v1/plan", "[")).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

fn views() -> impl Strategy<Value = TaskView> {
    let causes = prop::sample::select(vec![
        Cause::RuntimeUnavailable,
        Cause::Pulling,
        Cause::BackingOff,
        Cause::WaitingForCleanup,
    ]);
    let statuses = prop::sample::select(vec![
        TaskStatus::Pending,
        TaskStatus::Created,
        TaskStatus::Running,
        TaskStatus::Stopped,
    ]);
    let progress = (any::<u64>(), any::<u64>(), any::<bool>());
    (
        "[a-c]{1,3}",
        statuses,
        causes,
        progress,
        any::<i64>(),
        any::<[bool; 5]>(),
    )
        .prop_map(|(id, status, cause, (downloaded, total, _), at, flags)| {
            let mut view = if flags[0] { running(&id) } else { task(&id) };
            let at = UnixMillis(at);
            view.task.known.status = status;
            view.task.known.started_at = flags[1].then_some(at);
            view.task.desired.generation = Generation(at.0.unsigned_abs());
            if flags[2] {
                view.task.desired.status = DesiredStatus::Stopped;
                let reason = Reason::new(ReasonName::UserInitiated, "ä\n\"");
                view.task.known.stop = flags[3].then_some(StopCause { reason, at });
            }
            if flags[4] {
                let mut condition = condition(cause, "waits");
                condition.since = at;
                condition.deadline = Some(at);
                view.task.known.conditions.push(condition);
                view.in_flight.push(InFlight {
                    container: flags[1].then(|| container_name("app")),
                    step: Step::Pull,
                    since: at,
                    deadline: Some(at),
                    progress: Some(PullProgress {
                        downloaded_bytes: downloaded,
                        download_total_bytes: total,
                        ..PullProgress::default()
                    }),
                });
            }
            view
        })
}

fn snapshots() -> impl Strategy<Value = Snapshot> {
    let views = prop::collection::vec(views(), 0..4);
    (views, any::<Option<bool>>()).prop_map(|(views, trouble)| {
        let mut snapshot = snapshot_of(views);
        let words = Some("no such socket".to_owned());
        snapshot.engine = Arc::new(EngineView {
            runtime_error: words.clone().filter(|_| trouble == Some(true)),
            store_error: words.filter(|_| trouble == Some(false)),
            runtime_answered_at: Some(ago(5)),
            ..EngineView::default()
        });
        snapshot
    })
}

/// The documented GET routes with their statuses.
fn documented() -> Vec<(String, Vec<String>)> {
    let document = serde_json::to_value(openapi()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").clone();
    let gets = paths.into_iter().filter_map(|(path, item)| {
        let responses = item["get"]["responses"].as_object()?;
        Some((path, responses.keys().cloned().collect()))
    });
    gets.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_read_answers_200_or_a_documented_refusal(
        snapshot in snapshots(),
        id in "[a-c]{1,3}|%00|arn%3Ax",
        name in "app|x",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut rig = Rig::new(snapshot);
            for (path, statuses) in documented() {
                let path = path.replace("{id}", &id).replace("{name}", &name);
                let answer = rig.get(&path).await;
                let status = answer.status.as_u16();
                // Of server errors only those of probes are written as one status; `5XX` is none.
                let known = statuses.contains(&status.to_string());
                prop_assert!(known, "{path} answers {status}: {}", answer.text);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_head_is_a_get_without_a_body() {
    let mut rig = Rig::new(Snapshot::default());
    let head = Request::builder().method("HEAD").uri("/v1/health");
    let answer = rig.send(head.body(Body::empty()).expect("a request")).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
}
