//! Recorded answers of the reference agent, with the differences that the module names.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::Method;

use super::{About, Instance, IntrospectionState, classic_routes};
use crate::api::listeners::plain_layers;
use crate::api::view::sample::{self, ARN, MAIN_ID, SIDE_ID, docker_name, lab};
use crate::domain::ids::TaskArn;
use crate::domain::status::{DesiredStatus, TaskStatus};
use crate::domain::task::Task;

const COMMANDS: &str = r#"{"AvailableCommands":["/v1/metadata","/v1/tasks","/license"]}"#;
const REFUSAL: &str = r#"{"Arn":"","KnownStatus":"","Family":"","Version":"","Containers":null}"#;

fn router(tasks: impl IntoIterator<Item = Task>) -> Router {
    router_of(tasks, Arc::new(|| None))
}

fn router_of(tasks: impl IntoIterator<Item = Task>, instance: Instance) -> Router {
    let about = About {
        cluster: "lab".to_owned(),
        version: "berth - v1.2.3 (0123abcd)".to_owned(),
    };
    let views = sample::views(tasks);
    plain_layers(classic_routes(IntrospectionState::new(
        views, about, instance,
    )))
}

async fn get(router: &Router, path: &str) -> (u16, String) {
    let (status, kind, body) = sample::ask(router, Method::GET, path).await;
    assert_eq!(kind, "application/json", "{path}");
    (status, body)
}

fn lab_body() -> String {
    let image = "sha256:938dc22bc37c9a94bd89f6af8bc7a0e9cc98adbf1874f799c4ffeaa4c1e6876b";
    let (main, side) = (docker_name("main"), docker_name("side"));
    format!(
        r#"{{"Arn":"{ARN}","DesiredStatus":"RUNNING","KnownStatus":"RUNNING","Family":"lab","Version":"1","Containers":[{{"DockerId":"{MAIN_ID}","DockerName":"{main}","Name":"main","Image":"busybox:local","ImageID":"{image}","CreatedAt":"2026-11-23T16:51:58.154Z","StartedAt":"2026-11-23T16:51:58.413Z","Ports":[{{"ContainerPort":80,"Protocol":"tcp","HostPort":32775}},{{"ContainerPort":80,"Protocol":"tcp","HostPort":32775}}]}},{{"DockerId":"{SIDE_ID}","DockerName":"{side}","Name":"side","Image":"busybox:local","ImageID":"{image}","CreatedAt":"2026-11-23T16:51:58.142Z","StartedAt":"2026-11-23T16:51:58.363Z"}}]}}"#
    )
}

#[tokio::test]
async fn metadata_has_three_members_in_order_whatever_the_method() {
    let router = router([]);
    let expected =
        r#"{"Cluster":"lab","ContainerInstanceArn":null,"Version":"berth - v1.2.3 (0123abcd)"}"#;
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let (status, _, body) = sample::ask(&router, method, "/v1/metadata").await;
        assert_eq!((status, body.as_str()), (200, expected));
    }
    let (status, _, body) = sample::ask(&router, Method::HEAD, "/v1/metadata").await;
    assert_eq!((status, body.as_str()), (200, ""));
}

#[tokio::test]
async fn metadata_names_the_instance_from_the_moment_on_that_ecs_has_given_one() {
    let known = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&known);
    let arn = "arn:aws:ecs:us-west-2:123456789012:container-instance/lab/4641";
    let instance = move || seen.load(Ordering::Relaxed).then(|| arn.to_owned());
    let router = router_of([], Arc::new(instance));
    let (_, before) = get(&router, "/v1/metadata").await;
    assert!(
        before.contains(r#""ContainerInstanceArn":null"#),
        "{before}"
    );
    known.store(true, Ordering::Relaxed);
    let (_, after) = get(&router, "/v1/metadata").await;
    let expected = format!(
        r#"{{"Cluster":"lab","ContainerInstanceArn":"{arn}","Version":"berth - v1.2.3 (0123abcd)"}}"#
    );
    assert_eq!(after, expected);
}

#[tokio::test]
async fn unknown_paths_are_answered_with_the_commands() {
    let router = router([]);
    for path in [
        "/",
        "/nosuch",
        "/v1/metadata/",
        "/v1/tasks/",
        "/debug/pprof/",
    ] {
        for method in [Method::GET, Method::DELETE] {
            let answer = sample::ask(&router, method, path).await;
            let kind = "text/plain; charset=utf-8".to_owned();
            assert_eq!(answer, (200, kind, COMMANDS.to_owned()), "{path}");
        }
    }
    let (status, kind, body) = sample::ask(&router, Method::GET, "/license").await;
    assert_eq!((status, kind.as_str()), (200, "text/plain"));
    assert!(body.len() > 1000);
    let (status, _, _) = sample::ask(&router, Method::GET, "//v1/tasks").await;
    assert_eq!(status, 301);
}

#[tokio::test]
async fn the_list_and_one_task_are_as_recorded() {
    let none = get(&router([]), "/v1/tasks").await;
    assert_eq!(none, (200, r#"{"Tasks":[]}"#.to_owned()));
    let router = router([lab()]);
    let list = format!(r#"{{"Tasks":[{}]}}"#, lab_body());
    for path in ["/v1/tasks", "/v1/tasks?foo=bar", "/v1/tasks?TaskArn=x"] {
        assert_eq!(get(&router, path).await, (200, list.clone()), "{path}");
    }
    for query in [
        format!("taskarn={ARN}"),
        format!("taskarn={}", ARN.replace(':', "%3A").replace('/', "%2F")),
        format!("dockerid={MAIN_ID}"),
        format!("dockerid={}", &MAIN_ID[..12]),
        format!("dockerid={}", &SIDE_ID[..4]),
    ] {
        let answer = get(&router, &format!("/v1/tasks?{query}")).await;
        assert_eq!(answer, (200, lab_body()), "{query}");
    }
}

#[tokio::test]
async fn refusals_are_empty_tasks() {
    let router = router([lab()]);
    for (query, status) in [
        ("taskarn=nope".to_owned(), 404),
        ("taskarn=".to_owned(), 404),
        ("dockerid=nope".to_owned(), 404),
        // Longer than a short id and not the whole.
        (format!("dockerid={}", &MAIN_ID[..13]), 404),
        // Both containers.
        ("dockerid=".to_owned(), 400),
        (format!("taskarn={ARN}&dockerid={MAIN_ID}"), 400),
    ] {
        let answer = get(&router, &format!("/v1/tasks?{query}")).await;
        assert_eq!(answer, (status, REFUSAL.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_task_that_stopped_by_itself_has_no_desired_status() {
    let mut task = lab();
    task.known.status = TaskStatus::Stopped;
    let (_, body) = get(&router([task.clone()]), &format!("/v1/tasks?taskarn={ARN}")).await;
    assert!(body.contains(r#""KnownStatus":"STOPPED""#) && !body.contains("DesiredStatus"));
    task.desired.status = DesiredStatus::Stopped;
    task.known.status = TaskStatus::Created;
    let (_, body) = get(&router([task]), &format!("/v1/tasks?taskarn={ARN}")).await;
    assert!(
        body.contains(r#""DesiredStatus":"STOPPED","KnownStatus":"PENDING""#),
        "{body}"
    );
}

#[tokio::test]
async fn nothing_secret_is_told() {
    let mut other = lab();
    other.desired.arn = TaskArn::parse("arn:aws:ecs:us-west-2:1:task/lab/other").unwrap();
    let (_, body) = get(&router([lab(), other]), "/v1/tasks").await;
    for secret in ["marked", sample::MAIN_ENDPOINT, "berth.definition"] {
        assert!(!body.contains(secret), "{secret}");
    }
}
