//! Recorded answers of the reference agent, with the differences that the module names, and every state of a task.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::Method;
use axum::{Extension, Router};
use bytes::Bytes;
use proptest::prelude::*;

use super::MetadataState;
use crate::api::listeners::plain_layers;
use crate::api::task_server::peer::Peer;
use crate::api::task_server::router::task_server_routes;
use crate::api::view::sample::{
    self, ARN, MAIN_ENDPOINT, MAIN_ID, SIDE_ENDPOINT, SIDE_ID, docker_name, lab,
};
use crate::boundary::stats::{ContainerStats, NoStats, StatsView};
use crate::domain::caller::{Caller, Doubt};
use crate::domain::definition::NetworkMode;
use crate::domain::ids::{DockerId, TaskArn, UnixMillis};
use crate::domain::sample::name;
use crate::domain::status::{ContainerStatus, DesiredStatus, Health, TaskStatus};
use crate::domain::task::{EcsFacts, Exit, KnownContainer, Task};

fn with_stats(tasks: impl IntoIterator<Item = Task>, stats: Arc<dyn ContainerStats>) -> Router {
    let views = sample::views(tasks);
    plain_layers(task_server_routes(MetadataState::new(views, stats)))
}

fn from(router: Router, caller: Caller) -> Router {
    let address = SocketAddr::from(([127, 0, 0, 1], 5));
    router.layer(Extension(Peer::new(address, caller)))
}

fn router() -> Router {
    // As a standalone host has it; what ECS adds is in the recorded answers.
    let mut task = lab();
    task.desired.ecs = EcsFacts::default();
    with_stats([task], Arc::new(NoStats))
}

async fn get(router: &Router, path: &str) -> (u16, String) {
    let (status, kind, body) = sample::ask(router, Method::GET, path).await;
    let text = body.starts_with("404 page");
    assert_eq!(kind == "application/json", !text, "{path}");
    (status, body)
}

fn labels(container: &str, more: &str) -> String {
    format!(
        r#"{{{more}"com.amazonaws.ecs.cluster":"lab","com.amazonaws.ecs.container-name":"{container}","com.amazonaws.ecs.task-arn":"{ARN}","com.amazonaws.ecs.task-definition-family":"lab","com.amazonaws.ecs.task-definition-version":"1"}}"#
    )
}

const IMAGE: &str = r#""Image":"busybox:local","ImageID":"sha256:938dc22bc37c9a94bd89f6af8bc7a0e9cc98adbf1874f799c4ffeaa4c1e6876b""#;
const STATE: &str =
    r#""DesiredStatus":"RUNNING","KnownStatus":"RUNNING","Limits":{"CPU":10,"Memory":32}"#;
const MAIN_TIMES: &str = r#""CreatedAt":"2026-11-23T16:51:58.154Z","StartedAt":"2026-11-23T16:51:58.413Z","Type":"NORMAL""#;
const SIDE_TIMES: &str = r#""CreatedAt":"2026-11-23T16:51:58.142Z","StartedAt":"2026-11-23T16:51:58.363Z","Type":"NORMAL""#;
const HEALTH: &str = r#""Health":{"status":"HEALTHY","statusSince":"2026-11-23T16:51:59.46Z"}"#;
const MAIN_NETWORK: &str =
    r#""Networks":[{"NetworkMode":"bridge","IPv4Addresses":["172.17.0.3"]}]"#;
const SIDE_NETWORK: &str =
    r#""Networks":[{"NetworkMode":"bridge","IPv4Addresses":["172.17.0.2"]}]"#;

fn v4_main() -> String {
    let (name, labels) = (docker_name("main"), labels("main", r#""app":"lab","#));
    format!(
        r#"{{"DockerId":"{MAIN_ID}","Name":"main","DockerName":"{name}",{IMAGE},"Ports":[{{"ContainerPort":80,"Protocol":"tcp","HostPort":32775,"HostIp":"0.0.0.0"}},{{"ContainerPort":80,"Protocol":"tcp","HostPort":32775,"HostIp":"::"}}],"Labels":{labels},{STATE},{MAIN_TIMES},{HEALTH},{MAIN_NETWORK}}}"#
    )
}

fn side() -> String {
    let (name, labels) = (docker_name("side"), labels("side", ""));
    format!(
        r#"{{"DockerId":"{SIDE_ID}","Name":"side","DockerName":"{name}",{IMAGE},"Labels":{labels},{STATE},{SIDE_TIMES},{SIDE_NETWORK}}}"#
    )
}

fn v3_main() -> String {
    v4_main()
        .replace(r#","HostIp":"0.0.0.0""#, "")
        .replace(r#","HostIp":"::""#, "")
        .replace(
            &format!("{HEALTH},{MAIN_NETWORK}"),
            &format!("{MAIN_NETWORK},{HEALTH}"),
        )
}

const HEAD: &str =
    r#""Family":"lab","Revision":"1","DesiredStatus":"RUNNING","KnownStatus":"RUNNING""#;

#[tokio::test]
async fn containers_are_as_recorded() {
    let router = router();
    for (path, expected) in [
        (format!("/v4/{MAIN_ENDPOINT}"), v4_main()),
        (format!("/v4/{SIDE_ENDPOINT}"), side()),
        (format!("/v3/{MAIN_ENDPOINT}"), v3_main()),
        (format!("/v3/{SIDE_ENDPOINT}"), side()),
    ] {
        assert_eq!(get(&router, &path).await, (200, expected), "{path}");
    }
    let path = format!("/v4/{MAIN_ENDPOINT}");
    for method in [Method::POST, Method::PUT] {
        let (status, _, body) = sample::ask(&router, method, &path).await;
        assert_eq!((status, body), (200, v4_main()));
    }
}

#[tokio::test]
async fn tasks_are_as_recorded() {
    let router = router();
    let limits = r#""Limits":{"CPU":0.25,"Memory":256}"#;
    let v4 = format!(
        r#"{{"Cluster":"lab","TaskARN":"{ARN}",{HEAD},{limits},"Containers":[{},{}],"FaultInjectionEnabled":false}}"#,
        v4_main(),
        side()
    );
    let v3 = format!(
        r#"{{"Cluster":"lab","TaskARN":"{ARN}",{HEAD},"Containers":[{},{}],{limits}}}"#,
        v3_main(),
        side()
    );
    for path in ["task", "taskWithTags"] {
        let answer = get(&router, &format!("/v4/{SIDE_ENDPOINT}/{path}")).await;
        assert_eq!(answer, (200, v4.clone()));
        let answer = get(&router, &format!("/v3/{MAIN_ENDPOINT}/{path}")).await;
        assert_eq!(answer, (200, v3.clone()));
    }
    let v2 = v3
        .replace(&format!("{MAIN_NETWORK},"), "")
        .replace(&format!(",{SIDE_NETWORK}"), "");
    let own = from(router, Caller::Task(TaskArn::parse(ARN).unwrap()));
    for path in ["/v2/metadata", "/v2/metadata/", "/v2/metadataWithTags"] {
        assert_eq!(get(&own, path).await, (200, v2.clone()), "{path}");
    }
}

const CONTAINER: &str = "container metadata handler: unable to get container ID from request: \
                         unable to get docker ID from v3 endpoint ID: ";
const TASK: &str =
    "unable to get task arn from request: unable to get task Arn from v3 endpoint ID: nope";
const NOBODY: &str =
    "Unable to get task arn from request: unable to associate '127.0.0.1' with task";

#[tokio::test]
async fn a_container_is_associated_with_its_gpus_and_no_other() {
    let mut task = lab();
    let definition = Arc::make_mut(&mut task.desired.definition);
    let main = definition.containers.iter_mut();
    let main = main.filter(|it| it.name.as_str() == "main");
    main.for_each(|it| it.gpu_ids = vec!["GPU-2".to_owned(), "GPU-1".to_owned()]);
    let router = with_stats([task], Arc::new(NoStats));
    let refusal = |name: &str| {
        let words = format!(
            "Unable to write container association response: unable to get association from association type gpu and \
             association name {name}"
        );
        serde_json::to_string(&words).expect("JSON")
    };
    for (endpoint, rest, status, answer) in [
        (
            MAIN_ENDPOINT,
            "",
            200,
            r#"{"Associations":["GPU-2","GPU-1"]}"#.to_owned(),
        ),
        (MAIN_ENDPOINT, "/GPU-1", 200, String::new()),
        (MAIN_ENDPOINT, "/GPU-3", 400, refusal("GPU-3")),
        (
            SIDE_ENDPOINT,
            "",
            200,
            r#"{"Associations":null}"#.to_owned(),
        ),
        (SIDE_ENDPOINT, "/GPU-1", 400, refusal("GPU-1")),
    ] {
        for version in ["v3", "v4"] {
            let path = format!("/{version}/{endpoint}/associations/gpu{rest}");
            assert_eq!(
                get(&router, &path).await,
                (status, answer.clone()),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn errors_are_as_recorded() {
    let router = from(router(), Caller::Unknown(Doubt::Unsupported));
    for (path, status, words) in [
        ("/v3/nope", 500, format!("V3 {CONTAINER}nope")),
        ("/v3/", 500, format!("V3 {CONTAINER}")),
        ("/v3/nope/task", 500, format!("V3 task metadata handler: {TASK}")),
        ("/v3/nope/stats", 400, format!("V3 container stats handler: {TASK}")),
        ("/v3/nope/task/stats", 400, format!("V3 task stats handler: {TASK}")),
        ("/v4/nope", 404, format!("V4 {CONTAINER}nope")),
        ("/v4/", 404, format!("V4 {CONTAINER}")),
        ("/v4/nope/task", 404, format!("V4 task metadata handler: {TASK}")),
        ("/v4/nope/taskWithTags", 404, format!("V4 task metadata handler: {TASK}")),
        ("/v4/nope/stats", 404, format!("V4 container stats handler: {TASK}")),
        ("/v4/nope/task/stats", 404, format!("V4 task stats handler: {TASK}")),
        ("/v2/metadata", 400, NOBODY.to_owned()),
        ("/v2/stats", 400, NOBODY.to_owned()),
        (&format!("/v2/metadata/{MAIN_ID}"), 400, NOBODY.to_owned()),
        (
            &format!("/v4/{MAIN_ENDPOINT}/stats"),
            500,
            format!("Unable to get container stats for: {MAIN_ID}"),
        ),
        (
            &format!("/v4/{MAIN_ENDPOINT}/associations/elastic-inference/"),
            400,
            "V4 container associations handler: unable to get association name from request".to_owned(),
        ),
        (
            &format!("/v3/{MAIN_ENDPOINT}/associations/elastic-inference/x"),
            400,
            "Unable to write container association response: unable to get association from association type \
             elastic-inference and association name x"
                .to_owned(),
        ),
    ] {
        let expected = serde_json::to_string(&words).unwrap();
        assert_eq!(get(&router, path).await, (status, expected), "{path}");
    }
    let none = get(&router, &format!("/v4/{MAIN_ENDPOINT}/associations/x")).await;
    assert_eq!(none, (200, r#"{"Associations":null}"#.to_owned()));
    let none = get(&router, &format!("/v4/{MAIN_ENDPOINT}/associations/gpu")).await;
    assert_eq!(none, (200, r#"{"Associations":null}"#.to_owned()));
    for path in [
        "/",
        "/v3",
        "/v4",
        &format!("/v4/{MAIN_ENDPOINT}/"),
        "/v4/a/tasks",
        "/v4/a/unknown",
    ] {
        let expected = (404, "404 page not found\n".to_owned());
        assert_eq!(get(&router, path).await, expected, "{path}");
    }
}

/// The reference agent shows a container of any task to whoever asks from an address of some task.
#[tokio::test]
async fn a_container_of_another_task_is_unknown_to_version_2() {
    let mut other = lab();
    let arn = TaskArn::parse("arn:aws:ecs:us-west-2:1:task/lab/other").unwrap();
    other.desired.arn = arn.clone();
    other.desired.ids.endpoints.clear();
    other.known.containers.clear();
    let router = with_stats([lab(), other], Arc::new(NoStats));
    let router = from(router, Caller::Task(arn));
    let expected = format!(r#""Unable to generate metadata for container '{MAIN_ID}'""#);
    let answer = get(&router, &format!("/v2/metadata/{MAIN_ID}")).await;
    assert_eq!(answer, (400, expected));
}

/// Has a sample of one container, and waits for that of all others.
struct SomeStats;

impl ContainerStats for SomeStats {
    fn stats(&self, container: &DockerId) -> StatsView {
        if container.as_str() == MAIN_ID {
            StatsView::Sample {
                classic: Bytes::from_static(b"{\"read\":1}"),
                with_rates: Bytes::from_static(b"{\"read\":1,\"network_rate_stats\":{}}"),
            }
        } else {
            StatsView::NoSample
        }
    }
}

#[tokio::test]
async fn stats_are_those_of_the_source_and_nothing_has_a_form_in_each_version() {
    let router = with_stats([lab()], Arc::new(SomeStats));
    let rates = r#"{"read":1,"network_rate_stats":{}}"#;
    for (path, expected) in [
        (format!("/v4/{MAIN_ENDPOINT}/stats"), rates.to_owned()),
        (
            format!("/v3/{MAIN_ENDPOINT}/stats"),
            r#"{"read":1}"#.to_owned(),
        ),
        (format!("/v4/{SIDE_ENDPOINT}/stats"), "{}".to_owned()),
        (format!("/v3/{SIDE_ENDPOINT}/stats"), "null".to_owned()),
        (
            format!("/v4/{SIDE_ENDPOINT}/task/stats"),
            format!(r#"{{"{MAIN_ID}":{rates},"{SIDE_ID}":{{}}}}"#),
        ),
        (
            format!("/v3/{SIDE_ENDPOINT}/task/stats"),
            format!(r#"{{"{MAIN_ID}":{{"read":1}},"{SIDE_ID}":null}}"#),
        ),
    ] {
        assert_eq!(get(&router, &path).await, (200, expected), "{path}");
    }
}

/// What may be known of one container: nothing, or any mixture that rows can hold.
fn any_known() -> impl Strategy<Value = Option<KnownContainer>> {
    let status = prop::sample::select(&[
        ContainerStatus::None,
        ContainerStatus::Pulled,
        ContainerStatus::Created,
        ContainerStatus::Running,
        ContainerStatus::Stopped,
    ]);
    let health = prop::sample::select(&[Health::Unknown, Health::Healthy, Health::Unhealthy]);
    let exit = prop::option::of((prop::option::of(-1_i64..300), any::<bool>()));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let known = (status, health, exit, flags, 0_u32..4).prop_map(
        |(status, health, exit, (has_id, has_network, has_times, has_ports), attempt)| {
            let recorded = lab().known.containers.remove(&name("main")).unwrap();
            let mut known = KnownContainer {
                status,
                health,
                attempt,
                restart_count: attempt,
                exit: exit.map(|(code, oom_killed)| Exit {
                    at: UnixMillis(1),
                    code,
                    oom_killed,
                }),
                ..recorded
            };
            if !has_id {
                known.docker_id = None;
            }
            if !has_network {
                known.networks.clear();
            }
            if !has_times {
                known.created_at = None;
                known.started_at = None;
            }
            if !has_ports {
                known.bindings.clear();
            }
            known
        },
    );
    prop::option::of(known)
}

fn any_state() -> impl Strategy<Value = Task> {
    let task_status = prop::sample::select(&[
        TaskStatus::Pending,
        TaskStatus::Created,
        TaskStatus::Running,
        TaskStatus::Stopped,
    ]);
    let desired = prop::sample::select(&[DesiredStatus::Running, DesiredStatus::Stopped]);
    let mode = prop::sample::select(&[
        NetworkMode::Bridge,
        NetworkMode::Host,
        NetworkMode::None,
        NetworkMode::Awsvpc,
    ]);
    let containers = (any_known(), any_known());
    let of_task = (task_status, desired, mode, any::<bool>());
    (of_task, containers).prop_map(|((known, desired, mode, with_ecs), (main, side))| {
        let mut task = lab();
        task.known.status = known;
        task.desired.status = desired;
        let definition = Arc::make_mut(&mut task.desired.definition);
        definition.network_mode = mode;
        if mode == NetworkMode::Awsvpc {
            task.desired.options.network_as = Some(NetworkMode::Bridge);
        }
        if !with_ecs {
            task.desired.ecs = EcsFacts::default();
        }
        let known = [("main", main), ("side", side)].into_iter();
        task.known.containers = known
            .filter_map(|(container, known)| Some((name(container), known?)))
            .collect();
        task
    })
}

proptest! {
    /// Whatever is known of a task, its own containers get an answer; statistics may be missing, in documented words:
    /// 500 in version 4, as from the reference agent (`http-endpoints.md` 4.10).
    #[test]
    fn every_route_answers_in_every_state(task in any_state()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let own = Caller::Task(task.arn().clone());
            let router = from(with_stats([task], Arc::new(NoStats)), own);
            for path in [
                "/v2/metadata", "/v2/metadataWithTags", "/v3/ID", "/v3/ID/task", "/v3/ID/taskWithTags", "/v4/ID",
                "/v4/ID/task", "/v4/ID/taskWithTags", "/v3/ID/associations/x", "/v4/ID/associations/x",
            ] {
                let (status, body) = get(&router, &path.replace("ID", MAIN_ENDPOINT)).await;
                prop_assert_eq!(status, 200, "{}: {}", path, body);
                prop_assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
                prop_assert!(!body.contains("marked"));
            }
            for (path, missing) in [
                ("/v2/stats", 400), ("/v3/ID/stats", 400), ("/v3/ID/task/stats", 400), ("/v4/ID/stats", 500),
                ("/v4/ID/task/stats", 500),
            ] {
                let (status, body) = get(&router, &path.replace("ID", MAIN_ENDPOINT)).await;
                prop_assert_eq!(status, missing, "{}: {}", path, &body);
                prop_assert!(body.starts_with("\"Unable to get "));
            }
            Ok(())
        })?;
    }
}
