//! Parameters that touch the host: limits, ports, links, volumes, logs, network modes.
#![cfg(feature = "e2e")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use berth::boundary::VolumeRuntime;
use berth::domain::definition::{
    ContainerDefinition, Link, LogConfiguration, NetworkMode, TaskDefinition,
};
use berth::domain::depends_on::{Condition, Dependency};
use berth::domain::ids::{TaskArn, VolumeName};
use berth::domain::layout::volume_docker_name;
use berth::domain::port_mapping::{ContainerPorts, PortMapping, Protocol};
use berth::domain::status::TaskStatus;
use berth::domain::task::TaskOptions;
use berth::domain::volume::{
    DockerVolume, MountPoint, Volume, VolumeScope, VolumeSource, VolumesFrom,
};
use berth::reconcile::settings::LogFailurePolicy;
use berth::reconcile::snapshot::TaskView;

use crate::support::rig::{Rig, Setup, with_engine, with_setup};
use crate::support::view::{SERVE, cause, eventually, exit_code, is, known, name};

async fn run(rig: &mut Rig, definition: TaskDefinition, options: TaskOptions) -> TaskArn {
    let arn = rig.put_definition(definition, options).await;
    rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
    arn
}

async fn stopped(rig: &mut Rig, definition: TaskDefinition) -> (TaskArn, std::sync::Arc<TaskView>) {
    let arn = rig.put_definition(definition, TaskOptions::default()).await;
    let view = rig.until_task(&arn, "ends", is(TaskStatus::Stopped)).await;
    (arn, view)
}

#[tokio::test]
async fn limits_of_container_and_task_are_enforced() {
    with_engine(async |rig| {
        let mut app = rig.shell("app", SERVE);
        app.cpu_units = 256;
        app.memory_mib = Some(48);
        app.memory_reservation_mib = Some(24);
        let mut definition = Rig::definition(vec![app]);
        (definition.cpu_units, definition.memory_mib) = (Some(512), Some(96));
        let arn = run(rig, definition, TaskOptions::default()).await;
        let shown = rig.inspect(&rig.docker_id(&arn, "app")).await;
        let host = &shown["HostConfig"];
        assert_eq!(host["CpuShares"], 256);
        assert_eq!(host["Memory"], 48 << 20);
        assert_eq!(host["MemoryReservation"], 24 << 20);
        let parent = format!("/ecs/{}", arn.task_id());
        if host["CgroupParent"] == parent.as_str() {
            let path = format!("/sys/fs/cgroup/memory{parent}/memory.limit_in_bytes");
            let limit = std::fs::read_to_string(&path).expect("the task's limit");
            assert_eq!(limit.trim(), (96 << 20).to_string());
            let pid = &shown["State"]["Pid"];
            let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("groups");
            assert!(groups.contains(&format!(":memory:{parent}/")), "{groups}");
            rig.remove(&arn).await;
            rig.until("goes", |snapshot| snapshot.tasks.is_empty())
                .await;
            assert!(!std::path::Path::new(&path).exists(), "the cgroup goes too");
        } else {
            eprintln!("skipped: no cgroup v1 here: {}", host["CgroupParent"]);
        }
    })
    .await;
}

#[tokio::test]
async fn too_much_memory_is_an_out_of_memory_kill() {
    with_engine(async |rig| {
        let mut app = rig.shell("app", "x=a; while :; do x=$x$x; done");
        app.memory_mib = Some(8);
        let definition = Rig::definition(vec![app]);
        let (_, view) = stopped(rig, definition).await;
        assert_eq!(exit_code(&view, "app"), Some(137));
        let reason = known(&view, "app").reason.as_ref().expect("a reason");
        assert!(
            reason.to_string().starts_with("OutOfMemoryError"),
            "{reason}"
        );
    })
    .await;
}

fn port(container: ContainerPorts, host_port: Option<u16>, protocol: Protocol) -> PortMapping {
    PortMapping {
        container,
        host_port,
        protocol,
        name: None,
        app_protocol: None,
    }
}

/// A port that nobody has now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Answers `hello <port>` to each connection.
fn listen(port: u16) -> String {
    format!("while :; do echo hello {port} | nc -l -p {port}; done")
}

/// What a port of this host says.
async fn hears(host_port: u16) -> String {
    let address = SocketAddr::from(([127, 0, 0, 1], host_port));
    eventually("the port answers", async || {
        let ask = move || -> std::io::Result<String> {
            let limit = Duration::from_secs(2);
            let mut stream = TcpStream::connect_timeout(&address, limit)?;
            stream.set_read_timeout(Some(limit))?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            Ok(text)
        };
        let text = tokio::task::spawn_blocking(ask)
            .await
            .expect("a thread")
            .ok()?;
        text.starts_with("hello").then(|| text.trim().to_owned())
    })
    .await
}

fn host_port(view: &TaskView, container: &str, port: u16) -> u16 {
    let bindings = &known(view, container).bindings;
    let binding = bindings.iter().find(|one| one.container_port == port);
    binding.expect("a binding").host_port
}

#[tokio::test]
async fn ports_are_published_and_reached() {
    with_engine(async |rig| {
        let fixed = free_port();
        let script = format!(
            "{} & {} & {} & until grep -q 'Udp: [0-9]* [1-9]' /proc/net/snmp; do sleep 1; done; \
             echo knocked; wait",
            listen(7000),
            listen(7001),
            listen(7011),
        );
        let mut app = rig.shell("app", &script);
        let (single, range) = (
            ContainerPorts::Single,
            ContainerPorts::Range {
                first: 7010,
                last: 7012,
            },
        );
        app.port_mappings = vec![
            port(single(7000), Some(fixed), Protocol::Tcp),
            port(single(7001), None, Protocol::Tcp),
            port(range, None, Protocol::Tcp),
            port(single(7003), None, Protocol::Udp),
        ];
        let definition = Rig::definition(vec![app]);
        let arn = run(rig, definition, TaskOptions::default()).await;
        let view = rig.until_task(&arn, "runs", |_| true).await;
        assert_eq!(host_port(&view, "app", 7000), fixed);
        for port in [7000, 7001, 7011] {
            let said = hears(host_port(&view, "app", port)).await;
            assert_eq!(said, format!("hello {port}"));
        }
        let first = host_port(&view, "app", 7010);
        assert_eq!(
            host_port(&view, "app", 7012),
            first + 2,
            "a range stays one"
        );
        // Nobody listens in the container: its kernel counts what came in vain.
        let udp = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
        let to = ("127.0.0.1", host_port(&view, "app", 7003));
        eventually("the datagram arrives", async || {
            udp.send_to(b"knock\n", to).ok();
            rig.output(&arn, "app")
                .await
                .contains("knocked")
                .then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn links_reach_their_containers() {
    with_engine(async |rig| {
        let db = rig.shell("db", &listen(5432));
        let mut app = rig.shell(
            "app",
            "until echo | nc database 5432 | grep -q hello; do sleep 1; done; echo linked; sleep 1000",
        );
        app.links = vec![Link {
            container: name("db"),
            alias: "database".to_owned(),
        }];
        let definition = Rig::definition(vec![app, db]);
        let arn = run(rig, definition, TaskOptions::default()).await;
        eventually("the link works", async || {
            rig.output(&arn, "app").await.contains("linked").then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn awsvpc_as_bridge_is_one_network_with_ports_outside() {
    with_engine(async |rig| {
        let mut server = rig.shell("server", &listen(7100));
        server.port_mappings = vec![port(ContainerPorts::Single(7100), None, Protocol::Tcp)];
        let client = rig.shell(
            "client",
            "until nc 127.0.0.1 7100 < /dev/null | grep -q hello; do sleep 1; done; echo near; sleep 1000",
        );
        let mut definition = Rig::definition(vec![server, client]);
        definition.network_mode = NetworkMode::Awsvpc;
        let options = TaskOptions {
            network_as: Some(NetworkMode::Bridge),
            ..TaskOptions::default()
        };
        let arn = run(rig, definition, options).await;
        eventually("localhost is shared", async || {
            rig.output(&arn, "client").await.contains("near").then_some(())
        })
        .await;
        let view = rig.until_task(&arn, "runs", |_| true).await;
        let all = view.task.known.containers.values().flat_map(|one| &one.bindings);
        let binding = all.clone().find(|one| one.container_port == 7100);
        let said = hears(binding.expect("published").host_port).await;
        assert_eq!(said, "hello 7100");
        rig.stop(&arn).await;
        rig.until_task(&arn, "stops", is(TaskStatus::Stopped)).await;
    })
    .await;
}

#[tokio::test]
async fn network_modes_are_what_they_say() {
    with_engine(async |rig| {
        let host = std::fs::read_link("/proc/self/ns/net").expect("a namespace");
        for mode in [NetworkMode::Host, NetworkMode::None, NetworkMode::Bridge] {
            let script = "ls -l /proc/self/ns/net; ls /sys/class/net";
            let mut definition = Rig::definition(vec![rig.shell("app", script)]);
            definition.network_mode = mode;
            let (arn, _) = stopped(rig, definition).await;
            let output = rig.output(&arn, "app").await;
            let shared = output.contains(&*host.to_string_lossy());
            assert_eq!(shared, mode == NetworkMode::Host, "{output}");
            let wired = output.contains("eth0");
            assert_eq!(wired, mode != NetworkMode::None, "{mode:?}: {output}");
        }
    })
    .await;
}

fn mount(volume: &str, path: &str, read_only: bool) -> MountPoint {
    MountPoint {
        source_volume: VolumeName::parse(volume).expect("a name"),
        container_path: path.to_owned(),
        read_only,
    }
}

fn volume(name: &str, source: VolumeSource) -> Volume {
    Volume {
        name: VolumeName::parse(name).expect("a name"),
        source,
    }
}

fn docker(scope: VolumeScope) -> VolumeSource {
    VolumeSource::Docker(DockerVolume {
        scope,
        driver: None,
        driver_opts: BTreeMap::new(),
        labels: BTreeMap::from([("kind".to_owned(), "test".to_owned())]),
    })
}

fn after(container: &str) -> Vec<Dependency> {
    vec![Dependency {
        container: name(container),
        condition: Condition::Success,
    }]
}

/// One container writes to every volume, another sees what was written, read-only and through `volumesFrom`.
fn writer_and_reader(rig: &Rig) -> Vec<ContainerDefinition> {
    let mut writer = rig.shell("writer", "for v in a b c d; do echo $v > /$v/file; done");
    writer.essential = false;
    writer.mount_points = ["path", "empty", "own", "kept"]
        .into_iter()
        .zip(["/a", "/b", "/c", "/d"])
        .map(|(volume, path)| mount(volume, path, false))
        .collect();
    writer.mount_points[3].source_volume = VolumeName::parse(&kept(rig)).expect("a name");
    let mut reader = rig.shell(
        "reader",
        "cat /r/file /b/file /c/file /d/file; echo x > /r/x || echo refused",
    );
    reader.depends_on = after("writer");
    reader.mount_points = vec![mount("path", "/r", true)];
    reader.volumes_from = vec![VolumesFrom {
        source_container: name("writer"),
        read_only: true,
    }];
    vec![reader, writer]
}

/// A shared volume's name is the host's, so it carries the instance.
fn kept(rig: &Rig) -> String {
    format!("kept-{}", rig.instance)
}

#[tokio::test]
async fn volumes_live_as_long_as_their_scope() {
    with_engine(async |rig| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut definition = Rig::definition(writer_and_reader(rig));
        let path = dir.path().to_string_lossy().into_owned();
        let made = VolumeScope::Shared {
            autoprovision: true,
        };
        definition.volumes = vec![
            volume("path", VolumeSource::HostPath(path)),
            volume("empty", VolumeSource::Empty),
            volume("own", docker(VolumeScope::Task)),
            volume(&kept(rig), docker(made)),
        ];
        let (arn, view) = stopped(rig, definition.clone()).await;
        assert_eq!(exit_code(&view, "writer"), Some(0));
        let output = rig.output(&arn, "reader").await;
        for line in ["a", "b", "c", "d", "refused"] {
            assert!(output.lines().any(|said| said == line), "{line}: {output}");
        }
        assert!(dir.path().join("file").exists());
        rig.remove(&arn).await;
        rig.until("goes", |snapshot| snapshot.tasks.is_empty())
            .await;
        for (volume, stays) in definition.volumes.iter().skip(1).zip([false, false, true]) {
            let docker_name = volume_docker_name(&definition, arn.task_id(), volume);
            let docker_name = docker_name.expect("a Docker volume");
            let found = rig
                .docker
                .inspect_volume(&docker_name)
                .await
                .expect("inspect");
            assert_eq!(found.is_some(), stays, "{docker_name}");
        }
        rig.docker.remove_volume(&kept(rig)).await.expect("removed");
    })
    .await;
}

#[tokio::test]
async fn a_shared_volume_that_must_exist_and_does_not_fails_the_task() {
    with_engine(async |rig| {
        let mut app = rig.shell("app", SERVE);
        let missing = format!("missing-{}", rig.instance);
        app.mount_points = vec![mount(&missing, "/v", false)];
        let mut definition = Rig::definition(vec![app]);
        let scope = VolumeScope::Shared {
            autoprovision: false,
        };
        definition.volumes = vec![volume(&missing, docker(scope))];
        let (_, view) = stopped(rig, definition).await;
        let words = cause(&view);
        assert!(
            words.contains("does not exist and autoprovision is set to false"),
            "{words}"
        );
        let found = rig.docker.inspect_volume(&missing).await.expect("inspect");
        assert_eq!(found, None);
    })
    .await;
}

fn log(driver: &str, options: &[(&str, &str)]) -> LogConfiguration {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    LogConfiguration {
        driver: driver.to_owned(),
        options: options.iter().map(owned).collect(),
        secret_options: Vec::new(),
    }
}

#[tokio::test]
async fn log_drivers_and_their_options_reach_docker() {
    with_engine(async |rig| {
        for (driver, options) in [
            ("json-file", &[("max-size", "1m"), ("max-file", "2")][..]),
            ("local", &[("max-size", "2m")]),
            ("none", &[]),
        ] {
            let mut app = rig.shell("app", "echo said");
            app.log_configuration = Some(log(driver, options));
            let definition = Rig::definition(vec![app]);
            let (arn, _) = stopped(rig, definition).await;
            let shown = rig.inspect(&rig.docker_id(&arn, "app")).await;
            let config = &shown["HostConfig"]["LogConfig"];
            assert_eq!(config["Type"], driver);
            for (key, value) in options {
                assert_eq!(config["Config"][key], *value);
            }
        }
    })
    .await;
}

/// The option that most definitions for ECS have, and no Docker knows.
#[tokio::test]
async fn a_prefix_of_streams_reaches_docker_as_a_stream() {
    with_engine(async |rig| {
        let mut app = rig.shell("app", SERVE);
        let options = [
            ("awslogs-group", "g"),
            ("awslogs-region", "us-west-2"),
            ("awslogs-stream-prefix", "web"),
            ("awslogs-endpoint", "http://127.0.0.1:1"),
        ];
        app.log_configuration = Some(log("awslogs", &options));
        let arn = run(rig, Rig::definition(vec![app]), TaskOptions::default()).await;
        let shown = rig.inspect(&rig.docker_id(&arn, "app")).await;
        let config = &shown["HostConfig"]["LogConfig"]["Config"];
        assert_eq!(
            config["awslogs-stream"],
            format!("web/app/{}", arn.task_id())
        );
        assert!(config.get("awslogs-stream-prefix").is_none(), "{config}");
    })
    .await;
}

/// Log configurations whose backend refuses connections.
fn down() -> [LogConfiguration; 2] {
    [
        log("fluentd", &[("fluentd-address", "127.0.0.1:1")]),
        log("syslog", &[("syslog-address", "tcp://127.0.0.1:1")]),
    ]
}

#[tokio::test]
async fn a_log_backend_that_is_down_is_replaced_by_files() {
    with_engine(async |rig| {
        for configuration in down() {
            let mut app = rig.shell("app", SERVE);
            app.log_configuration = Some(configuration);
            let definition = Rig::definition(vec![app]);
            let arn = run(rig, definition, TaskOptions::default()).await;
            let view = rig.until_task(&arn, "runs", |_| true).await;
            assert!(known(&view, "app").degraded_log);
            let shown = rig.inspect(&rig.docker_id(&arn, "app")).await;
            assert_eq!(shown["HostConfig"]["LogConfig"]["Type"], "json-file");
        }
    })
    .await;
}

#[tokio::test]
async fn a_log_backend_that_is_down_fails_the_container_where_that_is_set() {
    let mut setup = Setup::default();
    setup.engine.log_failure = LogFailurePolicy::Fail;
    with_setup(setup, async |rig| {
        for configuration in down() {
            let mut app = rig.shell("app", SERVE);
            app.log_configuration = Some(configuration);
            let definition = Rig::definition(vec![app]);
            let (_, view) = stopped(rig, definition).await;
            let words = cause(&view);
            assert!(words.contains("CannotStartContainerError"), "{words}");
        }
    })
    .await;
}
