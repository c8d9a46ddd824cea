//! Output through the router, with Docker well and unwell.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use futures_util::StreamExt;

use crate::api::admin::testing::{Rig, request, running, snapshot_of, task};
use crate::boundary::ErrorKind;
use crate::domain::runtime::{OutputChunk, OutputStream};

fn rig() -> Rig {
    let rig = Rig::new(snapshot_of([running("a"), task("new")]));
    let chunk = |stream, text: &str| OutputChunk {
        stream,
        bytes: text.as_bytes().to_vec(),
        at: None,
    };
    *rig.output.chunks.lock().expect("chunks") = vec![
        chunk(OutputStream::Stdout, "one\ntwo"),
        chunk(OutputStream::Stderr, "oh\n"),
        chunk(OutputStream::Stdout, " and more\n"),
    ];
    rig
}

#[tokio::test]
async fn lines_with_their_stream_or_the_bytes_as_they_are() {
    let mut rig = rig();
    let lines = rig.get("/v1/tasks/a/containers/app/logs").await;
    insta::assert_snapshot!(lines.text, @r#"
    {"type":"line","stream":"stdout","at":"2026-01-02T03:04:05.000Z","text":"one"}
    {"type":"line","stream":"stderr","at":"2026-01-02T03:04:05.000Z","text":"oh"}
    {"type":"line","stream":"stdout","at":"2026-01-02T03:04:05.000Z","text":"two and more"}
    "#);
    let raw = rig.get("/v1/tasks/a/containers/app/logs?raw&tail=2").await;
    assert_eq!(raw.text, "oh\n and more\n");
}

#[tokio::test]
async fn what_there_is_no_output_of() {
    let mut rig = rig();
    let answer = rig.get("/v1/tasks/a/containers/db/logs").await;
    assert_eq!(
        answer.json()["detail"],
        "there is no container \"db\"; there are app"
    );
    let answer = rig.get("/v1/tasks/new/containers/app/logs").await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(
        answer.json()["detail"],
        "the engine has not looked at it yet"
    );
}

#[tokio::test]
async fn docker_without_the_container_is_told_apart_from_docker_out_of_order() {
    let mut rig = rig();
    for (kind, status) in [(ErrorKind::NotFound, 404), (ErrorKind::Unavailable, 503)] {
        *rig.output.refuses.lock().expect("a kind") = Some(kind);
        let answer = rig.get("/v1/tasks/a/containers/app/logs").await;
        assert_eq!(answer.status, status);
        assert!(status == 404 || !answer.text.contains("secret"));
    }
}

#[tokio::test]
async fn output_that_breaks_off_says_so() {
    let mut rig = rig();
    rig.output.breaks.store(true, Ordering::Relaxed);
    let answer = rig.get("/v1/tasks/a/containers/app/logs").await;
    let last = answer.text.lines().last();
    assert_eq!(
        last,
        Some(r#"{"type":"end","message":"Docker broke the output off"}"#)
    );
}

#[tokio::test(start_paused = true)]
async fn a_docker_that_falls_silent_ends_a_read_and_not_a_follow() {
    let mut rig = rig();
    rig.output.goes_on.store(true, Ordering::Relaxed);
    let answer = rig.get("/v1/tasks/a/containers/app/logs?tail=0").await;
    assert!(
        answer.text.contains("stopped giving output"),
        "{}",
        answer.text
    );
    let follow = request("GET", "/v1/tasks/a/containers/app/logs?tail=0&follow", "");
    let response = tower::ServiceExt::oneshot(rig.router, follow).await;
    let mut body = response.expect("infallible").into_body().into_data_stream();
    let heartbeat = body.next().await.expect("bytes").expect("bytes");
    assert_eq!(heartbeat, "{\"type\":\"heartbeat\"}\n");
}
