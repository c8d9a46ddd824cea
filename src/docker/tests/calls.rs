//! Calls against a scripted daemon: versions, deadlines, broken connections, odd answers.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use tokio::net::TcpListener;

use super::super::{Docker, DockerConfig};
use super::daemon::{Answer, Daemon, ID, id, ok, said};
use crate::boundary::{ContainerRuntime, ErrorKind, ImageRuntime, RuntimePing, VolumeRuntime};
use crate::domain::disk::{ContainerDisk, DiskUse, VolumeDisk};
use crate::domain::ids::TaskArn;
use crate::domain::image::ImageRef;
use crate::domain::registry::RegistryLogin;
use crate::domain::runtime::VolumeSpec;
use crate::testing::contract;

#[tokio::test]
async fn every_call_carries_the_negotiated_version_and_it_is_asked_once() {
    let daemon = Daemon::start(&[
        ("containers/json", ok(&json!([]))),
        ("/start", Answer::Json(304, String::new())),
    ])
    .await;
    daemon.docker.list().await.unwrap();
    daemon.docker.start(&id()).await.unwrap();
    assert_eq!(
        daemon.lines(),
        [
            "GET /version".to_owned(),
            "GET /v1.41/containers/json?all=true&filters=%7B%22label%22%3A%5B%22berth%2Einstance%3Di1%22%5D%7D".to_owned(),
            format!("POST /v1.41/containers/{ID}/start"),
        ]
    );
}

#[tokio::test]
async fn an_image_is_looked_at_only_for_what_is_left_to_it() {
    let image = ok(&json!({"Id": "sha256:1", "Config": {"Env": ["AWS_REGION=eu-west-1"]}}));
    let daemon = Daemon::start(&[
        ("/images/", image),
        ("/containers/create", ok(&json!({"Id": ID}))),
    ])
    .await;
    let image = ImageRef::parse("web:1").unwrap();
    let mut spec = contract::container("c", &image, "exit 0");
    daemon.docker.create(&spec).await.unwrap();
    let looked = || {
        let lines = daemon.lines();
        let looks = lines.iter().filter(|line| line.contains("/images/"));
        looks.count()
    };
    assert_eq!(looked(), 0);
    spec.left_to_image = ["AWS_REGION".to_owned()].into();
    daemon.docker.create(&spec).await.unwrap();
    assert_eq!(looked(), 1);
}

#[tokio::test]
async fn a_broken_connection_makes_the_next_call_negotiate_anew() {
    let daemon = Daemon::start(&[
        ("containers/json", Answer::Hangup),
        ("volumes/v", said(404, "get v: no such volume")),
    ])
    .await;
    let error = daemon.docker.list().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
    assert_eq!(
        daemon.docker.inspect_volume("v").await.unwrap(),
        None,
        "absence is an observation"
    );
    let asked = daemon
        .lines()
        .iter()
        .filter(|l| *l == "GET /version")
        .count();
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn a_daemon_that_was_downgraded_is_asked_again() {
    let words = "client version 1.41 is too new. Maximum supported API version is 1.40";
    let daemon = Daemon::start(&[("containers/json", said(400, words))]).await;
    for _ in 0..2 {
        let error = daemon.docker.list().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient, "{error}");
    }
    let asked = daemon
        .lines()
        .iter()
        .filter(|l| *l == "GET /version")
        .count();
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn a_daemon_that_is_too_old_is_named() {
    let version = ok(&json!({"ApiVersion": "1.20", "Version": "1.8"}));
    let daemon = Daemon::start(&[("GET /version", version)]).await;
    let error = daemon.docker.info().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "ask Docker for its version: Docker speaks API 1.20 at most, needed is 1.24"
    );
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let daemon = Daemon::with(&[("containers/json", Answer::Silence)], |config| {
        config.deadlines.list = Duration::from_millis(50);
    })
    .await;
    let error = daemon.docker.list().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DeadlineExceeded, "{error}");
}

#[tokio::test]
async fn check_131_a_ping_has_the_limit_of_whoever_asks() {
    for (answer, expected) in [
        (Answer::Json(200, "OK".to_owned()), None),
        (Answer::Silence, Some(ErrorKind::DeadlineExceeded)),
        (said(500, "no"), Some(ErrorKind::Transient)),
    ] {
        let daemon = Daemon::start(&[("/_ping", answer)]).await;
        let limit = match expected {
            Some(ErrorKind::DeadlineExceeded) => Duration::from_millis(50),
            _ => Duration::from_mins(1),
        };
        let failed = daemon.docker.ping(limit).await.err();
        assert_eq!(failed.map(|error| error.kind), expected);
    }
}

#[tokio::test]
async fn no_daemon_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let missing = std::env::temp_dir().join("berth-no-such.sock");
    let mut endpoints = vec![format!("tcp://{address}")];
    if std::env::consts::FAMILY == "unix" {
        endpoints.push(format!("unix://{}", missing.display()));
    }
    for endpoint in endpoints {
        let mut config = DockerConfig::new("i1");
        config.endpoint = Some(endpoint);
        let error = Docker::new(config).unwrap().list().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    }
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_is_refused_before_any_call() {
    let mut config = DockerConfig::new("i1");
    config.endpoint = Some("ssh://host".to_owned());
    let error = Docker::new(config).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
}

#[tokio::test]
async fn an_unreadable_answer_is_not_an_absence() {
    let daemon = Daemon::start(&[
        (
            "containers/x/json",
            Answer::Json(200, "{\"Id\":".to_owned()),
        ),
        ("containers/y/json", ok(&json!({"Id": "y"}))),
    ])
    .await;
    for name in ["x", "y"] {
        let error = daemon.docker.inspect(name).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient, "{error}");
    }
}

#[tokio::test]
async fn what_is_gone_is_stopped_killed_and_removed() {
    let gone = said(404, "No such container: x");
    let daemon = Daemon::start(&[("/containers/", gone)]).await;
    let docker = &daemon.docker;
    docker
        .stop(&id(), Duration::from_millis(1500))
        .await
        .unwrap();
    docker.kill(&id()).await.unwrap();
    docker.remove(ID).await.unwrap();
    assert_eq!(docker.inspect("x").await.unwrap(), None);
    let start = docker.start(&id()).await.unwrap_err();
    assert_eq!(start.kind, ErrorKind::NotFound);
    let lines = daemon.lines().join("\n");
    assert!(lines.contains("/stop?t=2"), "{lines}");
    assert!(lines.contains("/kill?signal=SIGKILL"), "{lines}");
    let removed = format!("/containers/{ID}?v=true&force=true");
    assert!(lines.contains(&removed), "{lines}");
}

/// A missing image is pulled again; what else a create names is not helped by that.
#[tokio::test]
async fn a_create_tells_a_missing_image_from_other_missing_things() {
    let image = ImageRef::parse("web:1").unwrap();
    for (words, kind) in [
        ("No such image: web:1", ErrorKind::NotFound),
        ("No such container: ecs-web-1-db-00", ErrorKind::Transient),
        ("plugin \"rexray\" not found", ErrorKind::Transient),
        ("network n not found", ErrorKind::Transient),
    ] {
        let daemon = Daemon::start(&[("containers/create", said(404, words))]).await;
        let spec = contract::container("any", &image, "exit 0");
        let error = daemon.docker.create(&spec).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (kind, words));
    }
}

#[tokio::test]
async fn a_kill_of_what_does_not_run_is_success() {
    let words = "Cannot kill container: x: Container x is not running";
    let daemon = Daemon::start(&[("/kill", said(409, words))]).await;
    daemon.docker.kill(&id()).await.unwrap();
}

#[tokio::test]
async fn a_removal_that_is_under_way_is_waited_for() {
    let daemon = Daemon::start(&[
        (
            "DELETE",
            said(409, "removal of container x is already in progress"),
        ),
        ("GET /v1.41/containers/", said(404, "No such container: x")),
    ])
    .await;
    daemon.docker.remove(ID).await.unwrap();
}

#[tokio::test]
async fn a_removal_that_never_ends_ends_at_the_deadline() {
    let daemon = Daemon::with(
        &[
            (
                "DELETE",
                said(409, "removal of container x is already in progress"),
            ),
            ("GET /v1.41/containers/", ok(&json!({"Id": ID}))),
        ],
        |config| config.deadlines.remove = Duration::from_millis(150),
    )
    .await;
    let error = daemon.docker.remove(ID).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DeadlineExceeded);
}

/// Two agents on one Docker may come to the same name.
#[tokio::test]
async fn a_name_removes_only_a_container_of_this_agent() {
    let labelled = |instance: &str| json!({ "berth.instance": instance });
    for (labels, removed) in [
        (labelled("i1"), true),
        (labelled("i2"), false),
        (json!({}), false),
        (json!(null), false),
    ] {
        let found = json!({
            "Id": ID,
            "Name": "/ecs-web-1-app-00",
            "State": {"Status": "running"},
            "Config": {"Labels": labels},
        });
        let daemon = Daemon::start(&[
            ("GET /v1.41/containers/ecs-web-1-app-00/json", ok(&found)),
            ("DELETE", Answer::Json(204, String::new())),
        ])
        .await;
        daemon.docker.remove("ecs-web-1-app-00").await.unwrap();
        let deleted = daemon.lines().iter().any(|line| line.contains("DELETE"));
        assert_eq!(deleted, removed, "{labels}");
    }
}

/// The volumes of a task have names that are made from its id as well.
#[tokio::test]
async fn a_volume_of_another_agent_is_neither_taken_nor_removed() {
    for (holder, own) in [("i1", true), ("i2", false)] {
        let volume =
            json!({ "Name": "v", "Driver": "local", "Labels": {"berth.instance": holder} });
        let daemon = Daemon::start(&[
            ("POST /v1.41/volumes/create", ok(&volume)),
            ("GET /v1.41/volumes/v", ok(&volume)),
            ("DELETE", Answer::Json(204, String::new())),
        ])
        .await;
        let spec = VolumeSpec {
            name: "v".to_owned(),
            driver: None,
            driver_opts: BTreeMap::new(),
            labels: [("berth.instance".to_owned(), "i1".to_owned())].into(),
        };
        match daemon.docker.create_volume(&spec).await {
            Ok(()) => assert!(own),
            Err(error) => {
                assert_eq!((own, error.kind), (false, ErrorKind::Conflict));
                assert!(error.message.contains("held by agent i2"), "{error}");
            }
        }
        daemon.docker.remove_volume("v").await.unwrap();
        let deleted = daemon.lines().iter().any(|line| line.contains("DELETE"));
        assert_eq!(deleted, own, "{holder}");
    }
}

#[tokio::test]
async fn an_error_inside_a_pull_is_its_last_item() {
    let text = [
        r#"{"status":"Pulling from web","id":"1"}"#,
        r#"{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}"#,
        r#"{"status":"never seen"}"#,
    ]
    .join("\r\n");
    let daemon = Daemon::start(&[("images/create", Answer::Until(text))]).await;
    let login = RegistryLogin {
        server: "reg.example:5000".to_owned(),
        username: "u".to_owned(),
        password: "p".to_owned().into(),
    };
    let image = ImageRef::parse("reg.example:5000/web").unwrap();
    let pull = daemon.docker.pull(&image, Some(&login)).await.unwrap();
    let items: Vec<_> = pull.collect().await;
    assert_eq!(items.len(), 2, "{items:?}");
    assert_eq!(
        items[1].as_ref().unwrap_err().kind,
        ErrorKind::NotFound,
        "{items:?}"
    );
    let head = daemon.seen.lock().unwrap().last().cloned().unwrap();
    assert!(
        head.starts_with(
            "POST /v1.41/images/create?fromImage=reg%2Eexample%3A5000%2Fweb&tag=latest "
        ),
        "{head}"
    );
    assert!(head.contains("x-registry-auth: eyJ1c2Vy"), "{head}");
}

#[tokio::test]
async fn a_pull_asks_for_the_digest_rather_than_the_tag() {
    let daemon = Daemon::start(&[("images/create", Answer::Until(String::new()))]).await;
    let digest = format!("sha256:{}", "a".repeat(64));
    let image = ImageRef::parse(&format!("web:1@{digest}")).unwrap();
    let pull = daemon.docker.pull(&image, None).await.unwrap();
    assert_eq!(pull.count().await, 0, "an empty answer is success");
    let line = daemon.lines().pop().unwrap();
    assert!(
        line.ends_with(&format!("fromImage=web&tag=sha256%3A{}", "a".repeat(64))),
        "{line}"
    );
}

#[tokio::test]
async fn a_pull_that_goes_silent_ends_at_its_deadline() {
    let line = format!("{}\r\n", json!({"status": "Waiting", "id": "a"}));
    let daemon = Daemon::with(&[("images/create", Answer::Stall(line))], |config| {
        config.deadlines.pull_idle = Duration::from_millis(50);
    })
    .await;
    let image = ImageRef::parse("web").unwrap();
    let pull = daemon.docker.pull(&image, None).await.unwrap();
    let items: Vec<_> = pull.collect().await;
    assert_eq!(items.len(), 2);
    assert_eq!(
        items[1].as_ref().unwrap_err().kind,
        ErrorKind::DeadlineExceeded
    );
}

#[tokio::test]
async fn a_broken_event_stream_ends_with_an_error() {
    let info = ok(&json!({"SystemTime": "2026-01-02T03:04:05Z"}));
    let daemon = Daemon::start(&[
        ("/info", info),
        (
            "/events",
            Answer::Until("{\"Type\":\"container\"}\n{broken\n".to_owned()),
        ),
    ])
    .await;
    let events = daemon.docker.events().await.unwrap();
    let items: Vec<_> = events.collect().await;
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(items[0].as_ref().unwrap_err().kind, ErrorKind::Transient);
    let line = daemon.lines().pop().unwrap();
    assert!(line.ends_with("&since=1767323045%2E000000000"), "{line}");
}

/// Docker puts every label of a container into each of its events.
#[tokio::test]
async fn an_event_of_a_container_with_long_labels_is_heard() {
    let info = ok(&json!({"SystemTime": "2026-01-02T03:04:05Z"}));
    let event = json!({
        "Type": "container", "Action": "die", "time": 5,
        "Actor": {"ID": ID, "Attributes": {
            "com.amazonaws.ecs.task-arn": "arn:aws:ecs:local:000000000000:task/default/a",
            "com.amazonaws.ecs.container-name": "app",
            "berth.definition": "\"".repeat(2 * 1024 * 1024),
        }},
    });
    let stream = Answer::Until(format!("{event}\n"));
    let daemon = Daemon::start(&[("/info", info), ("/events", stream)]).await;
    let events = daemon.docker.events().await.unwrap();
    let items: Vec<_> = events.collect().await;
    assert!(items.len() == 1 && items[0].is_ok());
}

#[tokio::test]
async fn an_archive_that_docker_refuses_is_an_error() {
    let line = json!({"errorDetail": {"message": "open /x: no space left on device"}}).to_string();
    let daemon = Daemon::start(&[("images/load", Answer::Until(line))]).await;
    let error = daemon.docker.load_image(vec![0]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoSpace);
}

#[tokio::test]
async fn images_in_use_are_named_once() {
    let list =
        json!([{"ImageID": "sha256:b"}, {"ImageID": "sha256:a"}, {"ImageID": "sha256:b"}, {}]);
    let daemon = Daemon::start(&[("containers/json", ok(&list))]).await;
    let ids = daemon.docker.images_in_use().await.unwrap();
    assert_eq!(ids, ["sha256:a", "sha256:b"]);
}

#[tokio::test]
async fn a_registry_that_knows_nothing_says_so() {
    let daemon = Daemon::start(&[
        ("distribution/web:1/json", said(404, "manifest unknown")),
        (
            "distribution/old/json",
            Answer::Json(404, "page not found\n".to_owned()),
        ),
    ])
    .await;
    for (image, kind) in [("web:1", ErrorKind::NotFound), ("old", ErrorKind::Invalid)] {
        let image = ImageRef::parse(image).unwrap();
        let error = daemon
            .docker
            .remote_manifest(&image, None)
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
}

/// Why the adapter puts the version into paths itself. When this fails, bollard does it.
#[tokio::test]
async fn bollard_builds_paths_without_the_version() {
    let (sender, seen) = std::sync::mpsc::channel();
    let client = bollard::Docker::connect_with_http("127.0.0.1:1", 1, bollard::API_DEFAULT_VERSION);
    let client = client.unwrap().with_request_modifier(move |request| {
        sender.send(request.uri().path().to_owned()).ok();
        request
    });
    client.ping().await.unwrap_err();
    assert_eq!(seen.recv().unwrap(), "/_ping");
}

#[tokio::test]
async fn what_takes_the_disk_is_read_in_old_words_and_new_ones() {
    let labels = |instance: &str| {
        json!({
            "com.amazonaws.ecs.task-arn": "arn:aws:ecs:local:000000000000:task/default/a",
            "com.amazonaws.ecs.container-name": "app",
            "berth.instance": instance,
        })
    };
    let containers = json!([
        {"Id": ID, "SizeRw": 5, "Labels": labels("i1"), "Mounts": [{"Type": "bind"}, {"Name": "data"}]},
        {"Id": ID, "Labels": labels("another"), "Mounts": null},
    ]);
    let volumes = json!([
        {"Name": "data", "UsageData": {"Size": 9, "RefCount": 1}},
        {"Name": "far", "UsageData": {"Size": -1, "RefCount": 0}},
    ]);
    let old = json!({"LayersSize": 100, "Images": [], "Containers": containers, "Volumes": volumes, "BuildCache": null});
    let new = json!({
        "ImageUsage": {"TotalSize": 100, "TotalCount": 2},
        "ContainerUsage": {"TotalSize": 5, "Items": containers},
        "VolumeUsage": {"TotalSize": 9, "Items": volumes},
    });
    for answer in [old, new] {
        let daemon = Daemon::start(&[("/system/df", ok(&answer))]).await;
        let used = daemon.docker.disk_use().await.unwrap();
        let arn = TaskArn::parse("arn:aws:ecs:local:000000000000:task/default/a").unwrap();
        let container = |task, writable_bytes, volumes| ContainerDisk {
            task,
            writable_bytes,
            volumes,
        };
        let expected = DiskUse {
            image_bytes: 100,
            containers: vec![
                container(Some(arn), 5, vec!["data".to_owned()]),
                container(None, 0, Vec::new()),
            ],
            volumes: [("data", 9), ("far", 0)]
                .map(|(name, bytes)| VolumeDisk {
                    name: name.to_owned(),
                    bytes,
                })
                .into(),
        };
        assert_eq!(used, expected);
        assert_eq!(
            daemon.lines().last().map(String::as_str),
            Some("GET /v1.41/system/df?type=image&type=container&type=volume&verbose=true")
        );
    }
}
