//! The adapter against a real Docker Engine: the contract that the fake passes too, and what only Docker can show.
#![cfg(feature = "e2e")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use berth::boundary::{ContainerRuntime, ErrorKind, ImageRuntime};
use berth::docker::Docker;
use berth::domain::definition::{HealthCheck, Tmpfs, Ulimit};
use berth::domain::ids::{DockerId, TaskArn};
use berth::domain::image::ImageRef;
use berth::domain::runtime::{ObservedContainer, OutputRange};
use berth::domain::spec::{ContainerSpec, LogChoice};
use berth::domain::status::Health;
use berth::testing::contract;
use futures_util::{FutureExt, StreamExt};

use crate::support::docker::{clean_up, docker};
use crate::support::images::load_busybox;

/// A tag that is this test's alone, so that tests may run at the same time.
fn tag(instance: &str) -> String {
    format!("berth-test/busybox:{instance}")
}

/// Runs `test` with an image of its own and removes everything afterwards, also when it fails.
async fn with_docker(test: impl AsyncFnOnce(Docker, String, String)) {
    let Some((docker, instance)) = docker().await else {
        return;
    };
    let image = tag(&instance);
    load_busybox(&docker, &image).await;
    let work = test(docker.clone(), image.clone(), instance.clone());
    let done = std::panic::AssertUnwindSafe(work).catch_unwind().await;
    clean_up(&instance).await;
    docker.remove_image(&image).await.ok();
    if let Err(failure) = done {
        std::panic::resume_unwind(failure);
    }
}

#[tokio::test]
async fn docker_keeps_the_contract_of_the_boundary() {
    with_docker(async |docker, image, instance| {
        let docker = Arc::new(docker);
        contract::runtime_ping(docker.as_ref()).await;
        contract::container_runtime(docker.clone(), docker, &image, &instance).await;
    })
    .await;
}

#[tokio::test]
async fn docker_says_what_it_is() {
    with_docker(async |docker, _, _| {
        let info = docker.info().await.expect("info");
        assert!(["linux", "windows"].contains(&info.os_type.as_str()));
        assert!(info.log_drivers.contains(&"json-file".to_owned()));
        assert!(info.volume_drivers.contains(&"local".to_owned()));
        assert!(info.cpus > 0 && info.memory_bytes > 0, "{info:?}");
        assert!(info.api_version.starts_with("1."), "{info:?}");
    })
    .await;
}

#[tokio::test]
async fn images_are_loaded_listed_and_removed() {
    with_docker(async |docker, image, _| {
        let found = docker.inspect_image(&image).await.expect("inspect");
        let found = found.expect("the image was loaded");
        assert!(found.tags.contains(&image), "{found:?}");
        assert_eq!(found.os, "linux");
        assert!(found.size_bytes > 0);
        let list = docker.list_images().await.expect("list");
        let entry = list.iter().find(|entry| entry.id == found.id);
        assert!(entry.expect("listed").tags.contains(&image));
        docker.remove_image(&image).await.expect("remove");
        docker.remove_image(&image).await.expect("remove again");
        assert_eq!(docker.inspect_image(&image).await.expect("inspect"), None);
    })
    .await;
}

#[tokio::test]
async fn a_pull_from_nowhere_may_pass_later() {
    with_docker(async |docker, _, _| {
        // Nothing listens on port 1 of the loopback address.
        let image = ImageRef::parse("127.0.0.1:1/web:1").expect("a reference");
        let pull = docker.pull(&image, None).await.expect("pull");
        let items: Vec<_> = pull.collect().await;
        let error = items.last().expect("an item").as_ref().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient, "{error}");
        let error = docker.remote_manifest(&image, None).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient, "{error}");
    })
    .await;
}

#[tokio::test]
async fn an_archive_that_is_none_is_refused() {
    with_docker(async |docker, _, _| {
        let error = docker.load_image(b"no archive".to_vec()).await.unwrap_err();
        assert!(!error.message.is_empty());
    })
    .await;
}

/// A container of a task of its own.
fn spec(instance: &str, image: &str, command: &str) -> ContainerSpec {
    let image = ImageRef::parse(image).expect("a reference");
    let id = format!("arn:aws:ecs:local:000000000000:task/default/{instance}");
    let task = TaskArn::parse(&id).expect("an ARN");
    let mut spec = contract::container(&format!("berth-{instance}"), &image, command);
    spec.labels = contract::labels(instance, &task);
    spec
}

/// Looks at the container until it is as wanted.
async fn until(
    docker: &Docker,
    id: &DockerId,
    wanted: impl Fn(&ObservedContainer) -> bool + Send + Sync,
) -> ObservedContainer {
    let work = async {
        loop {
            let found = docker.inspect(id.as_str()).await.expect("inspect");
            let found = found.expect("the container exists");
            if wanted(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let done = tokio::time::timeout(contract::PATIENCE, work).await;
    done.expect("the state comes in time")
}

#[tokio::test]
async fn health_is_seen_by_inspect_and_list() {
    with_docker(async |docker, image, instance| {
        for (word, health) in [("true", Health::Healthy), ("false", Health::Unhealthy)] {
            let mut spec = spec(&instance, &image, contract::UNTIL_TERM);
            let command = format!("echo probed; {word}");
            spec.definition.health_check = Some(HealthCheck {
                command: vec!["CMD-SHELL".to_owned(), command],
                interval: Duration::from_secs(1),
                timeout: Duration::from_secs(5),
                retries: 1,
                start_period: Duration::ZERO,
            });
            let id = docker.create(&spec).await.expect("create");
            docker.start(&id).await.expect("start");
            let found = until(&docker, &id, |found| found.health != Health::Unknown).await;
            assert_eq!(found.health, health);
            let probe = found.probe.expect("a probe");
            assert_eq!(probe.output, "probed\n");
            assert_eq!(probe.exit_code, i64::from(health == Health::Unhealthy));
            let list = docker.list().await.expect("list");
            assert_eq!(list.first().map(|entry| entry.health), Some(health));
            docker.remove(id.as_str()).await.expect("remove");
        }
    })
    .await;
}

#[tokio::test]
async fn a_container_has_the_limits_and_names_it_was_given() {
    with_docker(async |docker, image, instance| {
        let script = "id -u; ulimit -n; ls -d /scratch; echo $A; cat /etc/hosts; echo $PWD";
        let mut spec = spec(&instance, &image, script);
        spec.environment.insert("A".to_owned(), "b=c".to_owned());
        spec.memory_mib = Some(32);
        spec.cpu_shares = 128;
        spec.extra_hosts = vec![("peer".to_owned(), "192.0.2.7".to_owned())];
        let definition = &mut spec.definition;
        definition.user = Some("1234".to_owned());
        definition.working_directory = Some("/tmp".to_owned());
        definition.readonly_root_filesystem = true;
        definition.memory_reservation_mib = Some(16);
        definition.ulimits = vec![Ulimit {
            name: "nofile".to_owned(),
            soft: 123,
            hard: 456,
        }];
        definition.linux_parameters.tmpfs = vec![Tmpfs {
            container_path: "/scratch".to_owned(),
            size_mib: 1,
            mount_options: vec!["noexec".to_owned()],
        }];
        let drop_all = vec!["ALL".to_owned()];
        definition.linux_parameters.capabilities_drop = drop_all;
        let id = docker.create(&spec).await.expect("create");
        docker.start(&id).await.expect("start");
        let logs = docker.logs(&id, OutputRange::FOLLOW).await.expect("logs");
        let chunks: Vec<_> = logs.collect().await;
        let bytes = chunks.into_iter().flat_map(|chunk| chunk.unwrap().bytes);
        let text = String::from_utf8(bytes.collect()).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..4], ["1234", "123", "/scratch", "b=c"], "{text}");
        assert!(text.contains("192.0.2.7\tpeer"), "{text}");
        assert_eq!(lines.last(), Some(&"/tmp"));
    })
    .await;
}

#[tokio::test]
async fn a_terminals_output_is_read_as_it_is() {
    with_docker(async |docker, image, instance| {
        let mut spec = spec(&instance, &image, "echo out; echo err >&2; printf rest");
        spec.definition.pseudo_terminal = true;
        let id = docker.create(&spec).await.expect("create");
        docker.start(&id).await.expect("start");
        until(&docker, &id, |found| found.exit.is_some()).await;
        let logs = docker.logs(&id, OutputRange::ALL).await.expect("logs");
        let chunks: Vec<_> = logs.collect().await;
        let bytes: Vec<u8> = chunks.into_iter().flat_map(|c| c.unwrap().bytes).collect();
        assert_eq!(bytes, b"out\r\nerr\r\nrest");
    })
    .await;
}

#[tokio::test]
async fn a_log_backend_that_is_down_is_told_apart() {
    with_docker(async |docker, image, instance| {
        let mut spec = spec(&instance, &image, contract::UNTIL_TERM);
        let address = ("fluentd-address".to_owned(), "127.0.0.1:1".to_owned());
        spec.log = Some(LogChoice {
            driver: "fluentd".to_owned(),
            options: BTreeMap::from([address]),
        });
        let id = docker.create(&spec).await.expect("create");
        let error = docker.start(&id).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::LogDriver, "{error}");
        assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_command_that_is_not_there_is_final_and_explained() {
    with_docker(async |docker, image, instance| {
        let mut spec = spec(&instance, &image, "");
        spec.definition.command = Some(vec!["/bin/no-such".to_owned()]);
        let id = docker.create(&spec).await.expect("create");
        let error = docker.start(&id).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        let found = docker.inspect(id.as_str()).await.expect("inspect");
        let found = found.expect("the container stays");
        assert!(!found.state.may_live());
        let words = found.error.expect("Docker says why");
        assert!(words.contains("/bin/no-such"), "{words}");
    })
    .await;
}
