//! Rows of the conformance list (`http-endpoints.md` 11.5 to 11.7) that no recorded answer shows, by their numbers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::http::Method;
use axum::{Extension, Router};
use serde_json::{Value, json};

use super::MetadataState;
use crate::api::listeners::plain_layers;
use crate::api::task_server::peer::Peer;
use crate::api::task_server::router::task_server_routes;
use crate::api::view::sample::{self, MAIN_ENDPOINT, MAIN_ID, lab};
use crate::boundary::EcsFactsSource;
use crate::boundary::ecs_facts::{InstancePlace, ResourceTags, Tags, TagsError};
use crate::boundary::stats::NoStats;
use crate::domain::caller::Caller;
use crate::domain::container_facts::ContainerNetwork;
use crate::domain::definition::{PidMode, RestartPolicy, TaskDefinition};
use crate::domain::ids::{ClusterName, ContainerName, DockerId, TaskArn, UnixMillis};
use crate::domain::sample::name;
use crate::domain::status::{ContainerStatus, Health};
use crate::domain::task::{Exit, KnownContainer, Task};

/// The recorded task after a change of its definition and of what is known of its container `main`.
fn changed(
    definition: impl FnOnce(&mut TaskDefinition),
    main: impl FnOnce(&mut KnownContainer),
) -> Task {
    let mut task = lab();
    let mut changed = (*task.desired.definition).clone();
    definition(&mut changed);
    task.desired.definition = Arc::new(changed);
    main(task.known.containers.get_mut(&name("main")).unwrap());
    task
}

fn known(main: impl FnOnce(&mut KnownContainer)) -> Task {
    changed(|_| {}, main)
}

/// What the task's own container is answered.
async fn get(task: Task, path: &str) -> (u16, Value, String) {
    let own = Caller::Task(task.arn().clone());
    let state = MetadataState::new(sample::views([task]), Arc::new(NoStats));
    let peer = Peer::new(([172, 17, 0, 3], 5).into(), own);
    let router: Router = plain_layers(task_server_routes(state)).layer(Extension(peer));
    let path = path.replace("ID", MAIN_ENDPOINT);
    let (status, _, body) = sample::ask(&router, Method::GET, &path).await;
    let value = serde_json::from_str(&body).unwrap_or(Value::Null);
    (status, value, body)
}

#[tokio::test]
async fn version_2_knows_containers_of_the_caller_by_their_id_alone() {
    let own = format!("/v2/metadata/{MAIN_ID}");
    let (status, container, body) = get(lab(), &own).await;
    assert_eq!((status, &container["DockerId"]), (200, &json!(MAIN_ID)));
    // 96
    for absent in [
        "LaunchType",
        "LogDriver",
        "ContainerARN",
        "HostIp",
        "Networks",
    ] {
        assert!(!body.contains(absent), "{absent} in {body}");
    }
    // 91, 93, 95
    for (path, words) in [
        (
            "/v2/metadata/nope",
            "Unable to generate metadata for container 'nope'",
        ),
        (
            "/v2/metadata/a/b",
            "Unable to generate metadata for container 'a/b'",
        ),
        (
            "/v2/metadata/taskWithTags",
            "Unable to generate metadata for container 'taskWithTags'",
        ),
        ("/v2/stats/nope", "Unable to get container stats for: nope"),
    ] {
        let (status, value, _) = get(lab(), path).await;
        assert_eq!((status, value), (400, json!(words)), "{path}");
    }
}

#[tokio::test]
async fn networks_are_those_of_docker_with_version_6_in_version_4_only() {
    let network = |name: &str, ipv4: &str, ipv6: &str| ContainerNetwork {
        name: name.to_owned(),
        ipv4: ipv4.to_owned(),
        ipv6: ipv6.to_owned(),
        ..ContainerNetwork::default()
    };
    // 99; 100 and 112
    for (network, v3, v4) in [
        (
            network("host", "", ""),
            json!([{ "NetworkMode": "host", "IPv4Addresses": [""] }]),
            json!([{ "NetworkMode": "host", "IPv4Addresses": [""] }]),
        ),
        (
            network("bridge", "172.17.0.3", "fd00::3"),
            json!([{ "NetworkMode": "bridge", "IPv4Addresses": ["172.17.0.3"] }]),
            json!([{ "NetworkMode": "bridge", "IPv4Addresses": ["172.17.0.3"], "IPv6Addresses": ["fd00::3"] }]),
        ),
    ] {
        for (path, expected) in [("/v3/ID", v3), ("/v4/ID", v4)] {
            let task = known(|main| main.networks = vec![network.clone()]);
            assert_eq!(get(task, path).await.1["Networks"], expected, "{path}");
        }
    }
}

#[tokio::test]
async fn tags_are_an_object_on_their_routes_only() {
    // 103
    let tagged = || {
        let tags = |definition: &mut TaskDefinition| {
            definition.tags = [("team".to_owned(), "blue".to_owned())].into();
        };
        changed(tags, |_| {})
    };
    for version in ["v3/ID", "v4/ID"] {
        let with = get(tagged(), &format!("/{version}/taskWithTags")).await.1;
        assert_eq!(with["TaskTags"], json!({ "team": "blue" }), "{version}");
        let without = get(tagged(), &format!("/{version}/task")).await.1;
        assert!(without.get("TaskTags").is_none(), "{version}");
    }
    let with = get(tagged(), "/v2/metadataWithTags").await.1;
    assert_eq!(with["TaskTags"], json!({ "team": "blue" }));
}

/// A control plane that refuses, and does not say where the host is; EC2 does, if there is a place.
struct Refusing(Option<InstancePlace>);

#[async_trait]
impl EcsFactsSource for Refusing {
    fn availability_zone(&self) -> Option<Arc<str>> {
        None
    }

    async fn tags(&self, task: &TaskArn) -> ResourceTags {
        let refused = TagsError {
            resource_arn: task.to_string(),
            code: Some("AccessDeniedException".to_owned()),
            message: "no".to_owned(),
            status: Some(400),
            request_id: Some("r".to_owned()),
        };
        ResourceTags {
            instance: self.instance_tags().await,
            task: Err(refused),
        }
    }

    fn container_instance(&self) -> Option<Arc<str>> {
        None
    }

    fn place(&self) -> Option<Arc<InstancePlace>> {
        self.0.clone().map(Arc::new)
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }

    async fn instance_tags(&self) -> Tags {
        Ok(Arc::default())
    }
}

/// The task, as the route of that version with tags shows it.
async fn with_tags(task: Task, ecs: Refusing, version: &str) -> Value {
    let own = Caller::Task(task.arn().clone());
    let state = MetadataState::new(sample::views([task]), Arc::new(NoStats));
    let served = task_server_routes(state.connected(Arc::new(ecs)));
    let peer = Peer::new(([172, 17, 0, 3], 5).into(), own);
    let router: Router = plain_layers(served).layer(Extension(peer));
    let path = format!("/{version}/{MAIN_ENDPOINT}/taskWithTags");
    let (status, _, body) = sample::ask(&router, Method::GET, &path).await;
    assert_eq!(status, 200);
    serde_json::from_str::<Value>(&body).unwrap()
}

#[tokio::test]
async fn where_ec2_has_put_the_host_is_shown_in_version_4_only() {
    let place = || InstancePlace {
        vpc: Some("vpc-1".to_owned()),
        zone_id: Some("usw2-az1".to_owned()),
        private_ipv4: Some("10.0.0.9".to_owned()),
        ..InstancePlace::default()
    };
    let shown = with_tags(lab(), Refusing(Some(place())), "v4").await;
    assert_eq!(shown["VPCID"], "vpc-1");
    assert_eq!(shown["AvailabilityZoneID"], "usw2-az1");
    let early = with_tags(lab(), Refusing(None), "v4").await;
    let older = with_tags(lab(), Refusing(Some(place())), "v3").await;
    for without in [early, older] {
        assert!(without.get("VPCID").is_none(), "{without}");
        assert!(without.get("AvailabilityZoneID").is_none(), "{without}");
    }
}

#[tokio::test]
async fn tags_of_the_hosts_own_tasks_are_those_of_their_definitions_and_ecs_is_not_asked() {
    let tagged = changed(
        |definition| definition.tags = [("team".to_owned(), "blue".to_owned())].into(),
        |_| {},
    );
    let mut own = tagged.clone();
    own.desired.arn =
        TaskArn::standalone(&ClusterName::parse("lab").unwrap(), tagged.arn().task_id());
    let shown = with_tags(own, Refusing(None), "v4").await;
    assert_eq!(shown["TaskTags"], json!({ "team": "blue" }));
    assert!(shown.get("Errors").is_none(), "{shown}");
    let of_ecs = with_tags(tagged, Refusing(None), "v4").await;
    assert!(of_ecs.get("TaskTags").is_none(), "{of_ecs}");
}

#[tokio::test]
async fn a_call_for_tags_that_fails_is_shown_in_version_4_only() {
    let ask = async |version: &str| with_tags(lab(), Refusing(None), version).await;
    let shown = ask("v4").await;
    let expected = json!([{ "ErrorField": "TaskTags", "ErrorCode": "AccessDeniedException", "ErrorMessage": "no",
        "StatusCode": 400, "RequestId": "r", "ResourceARN": lab().arn().as_str() }]);
    assert_eq!(shown["Errors"], expected);
    for absent in ["TaskTags", "ContainerInstanceTags", "AvailabilityZone"] {
        assert!(shown.get(absent).is_none(), "{absent}");
    }
    assert!(ask("v3").await.get("Errors").is_none());
}

#[tokio::test]
async fn a_container_with_a_restart_policy_ends_with_its_count_in_version_4() {
    // 107
    let policy = RestartPolicy {
        ignored_exit_codes: Vec::new(),
        restart_attempt_period: Duration::from_mins(5),
    };
    let restarting = |count| {
        let policy = policy.clone();
        changed(
            move |definition| definition.containers[0].restart_policy = Some(policy),
            move |main| main.restart_count = count,
        )
    };
    for count in [0, 3] {
        let (_, _, body) = get(restarting(count), "/v4/ID").await;
        assert!(
            body.starts_with(&format!(r#"{{"DockerId":"{MAIN_ID}""#)),
            "{body}"
        );
        assert!(
            body.ends_with(&format!(r#","RestartCount":{count}}}"#)),
            "{body}"
        );
        let (_, _, body) = get(restarting(count), "/v3/ID").await;
        assert!(!body.contains("RestartCount"), "{body}");
    }
    assert!(!get(lab(), "/v4/ID").await.2.contains("RestartCount"));
}

#[tokio::test]
async fn unknown_health_is_an_empty_object_and_no_check_is_none() {
    // 115
    let unknown = || known(|main| main.health = Health::Unknown);
    let unchecked = || {
        changed(
            |definition| definition.containers[0].health_check = None,
            |_| {},
        )
    };
    for path in ["/v3/ID", "/v4/ID"] {
        assert_eq!(get(unknown(), path).await.1["Health"], json!({}), "{path}");
        assert!(
            get(unchecked(), path).await.1.get("Health").is_none(),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_container_that_is_only_pulled_is_in_the_task_of_version_4() {
    // 117
    let pulled = || {
        known(|main| {
            *main = KnownContainer {
                status: ContainerStatus::Pulled,
                ..KnownContainer::default()
            };
        })
    };
    let (status, task, _) = get(pulled(), "/v4/ID/task").await;
    let main = &task["Containers"][0];
    assert_eq!(status, 200);
    assert_eq!(
        (&main["Name"], &main["DockerId"]),
        (&json!("main"), &json!(""))
    );
    assert_eq!(
        (&main["KnownStatus"], &main["DockerName"]),
        (&json!("PULLED"), &json!(""))
    );
    assert!(main.get("Networks").is_none());
    let (_, task, _) = get(pulled(), "/v3/ID/task").await;
    assert_eq!(task["Containers"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn pause_containers_are_listed_under_internal_names() {
    // 118
    let mut task = changed(|definition| definition.pid_mode = PidMode::Task, |_| {});
    let pause = KnownContainer {
        status: ContainerStatus::Running,
        docker_id: DockerId::parse(&"c".repeat(64)).ok(),
        ..KnownContainer::default()
    };
    task.known
        .containers
        .insert(ContainerName::namespace_pause(), pause);
    let (_, task, _) = get(task, "/v4/ID/task").await;
    let containers = task["Containers"].as_array().unwrap();
    let internal = |container: &&Value| {
        let name = container["Name"].as_str().unwrap();
        name.starts_with("~internal~") && container["Type"] == "NAMESPACE_PAUSE"
    };
    assert_eq!(containers.iter().filter(internal).count(), 1, "{task}");
}

#[tokio::test]
async fn an_exit_code_of_0_is_shown_and_missing_limits_are_not() {
    // 121
    let ended = || {
        known(|main| {
            main.status = ContainerStatus::Stopped;
            main.exit = Some(Exit {
                code: Some(0),
                oom_killed: false,
                at: UnixMillis(1_795_452_720_000),
            });
        })
    };
    for path in ["/v3/ID", "/v4/ID"] {
        let (status, container, _) = get(ended(), path).await;
        assert_eq!((status, &container["ExitCode"]), (200, &json!(0)), "{path}");
        assert_eq!(container["KnownStatus"], "STOPPED");
        let without_address = json!([{ "NetworkMode": "bridge", "IPv4Addresses": [""] }]);
        assert_eq!(container["Networks"], without_address, "{path}");
    }
    // 122 and 17
    for (cpu, memory, expected) in [
        (None, None, None),
        (Some(512), None, Some(r#""Limits":{"CPU":0.5}"#)),
        (
            Some(2048),
            Some(64),
            Some(r#""Limits":{"CPU":2,"Memory":64}"#),
        ),
    ] {
        let limited = |definition: &mut TaskDefinition| {
            (definition.cpu_units, definition.memory_mib) = (cpu, memory);
        };
        let (_, task, body) = get(changed(limited, |_| {}), "/v4/ID/task").await;
        match expected {
            Some(expected) => assert!(body.contains(expected), "{body}"),
            None => assert!(task.get("Limits").is_none(), "{body}"),
        }
    }
}

#[tokio::test]
async fn containers_have_the_same_order_in_every_answer() {
    // 129
    let first = get(lab(), "/v4/ID/task").await.2;
    for _ in 0..20 {
        assert_eq!(get(lab(), "/v4/ID/task").await.2, first);
    }
}
