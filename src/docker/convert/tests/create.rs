//! The body of a create call.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::create::{create_body, without_image_variables};
use super::sample::spec;
use crate::domain::definition::{Device, HealthCheck, Tmpfs, Ulimit};
use crate::domain::port_mapping::Protocol;
use crate::domain::spec::{
    Bind, ContainerSpec, GpuChoice, IpcChoice, LogChoice, NamespaceChoice, NetworkChoice,
    PublishedPort,
};

#[test]
fn what_is_left_to_the_image_goes_where_that_sets_any_of_it() {
    let mut spec = spec();
    let set = ["AWS_DEFAULT_REGION", "AWS_REGION", "OTHER"];
    spec.environment = set
        .map(|name| (name.to_owned(), "us-west-2".to_owned()))
        .into();
    spec.left_to_image = set.into_iter().take(2).map(str::to_owned).collect();
    let left = |image: &[&str]| {
        let without = without_image_variables(&spec, &texts(image))?;
        Some(without.environment.into_keys().collect::<Vec<_>>())
    };
    assert_eq!(left(&[]), None);
    assert_eq!(left(&["PATH=/bin", "OTHER=x", "AWS_REGIONS=x"]), None);
    for image in ["AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=", "AWS_REGION"] {
        assert_eq!(
            left(&["PATH=/bin", image]),
            Some(texts(&["OTHER"])),
            "{image}"
        );
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// One member a line; the host's under their own heading.
fn members(body: &Value) -> String {
    let lines = |object: &Value| -> Vec<String> {
        let object = object.as_object().unwrap().iter();
        object
            .filter(|(key, _)| *key != "HostConfig")
            .map(|(key, value)| format!("{key} {value}"))
            .collect()
    };
    let host = lines(&body["HostConfig"]);
    format!(
        "{}\n-- HostConfig\n{}",
        lines(body).join("\n"),
        host.join("\n")
    )
}

fn full_spec() -> ContainerSpec {
    let mut spec = spec();
    let definition = &mut spec.definition;
    definition.entry_point = Some(texts(&["/bin/sh", "-c"]));
    definition.command = Some(texts(&["run"]));
    definition.memory_reservation_mib = Some(64);
    definition.health_check = Some(HealthCheck {
        command: texts(&["CMD-SHELL", "probe"]),
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(5),
        retries: 3,
        start_period: Duration::from_secs(10),
    });
    definition.user = Some("1000:1000".to_owned());
    definition.working_directory = Some("/srv".to_owned());
    definition.hostname = Some("web".to_owned());
    definition.pseudo_terminal = true;
    definition.interactive = true;
    definition.disable_networking = true;
    definition.stop_timeout = Some(Duration::from_secs(90));
    definition.privileged = true;
    definition.readonly_root_filesystem = true;
    definition.dns_servers = texts(&["192.0.2.53"]);
    definition.dns_search_domains = texts(&["example"]);
    definition.extra_hosts = vec![("db".to_owned(), "192.0.2.1".to_owned())];
    definition.docker_security_options = texts(&["no-new-privileges"]);
    definition
        .system_controls
        .insert("net.core.somaxconn".to_owned(), "1024".to_owned());
    definition.ulimits = vec![Ulimit {
        name: "nofile".to_owned(),
        soft: 1024,
        hard: -1,
    }];
    let parameters = &mut definition.linux_parameters;
    parameters.capabilities_add = texts(&["NET_ADMIN"]);
    parameters.capabilities_drop = texts(&["ALL"]);
    parameters.devices = vec![Device {
        host_path: "/dev/fuse".to_owned(),
        container_path: "/dev/fuse".to_owned(),
        permissions: "rwm".to_owned(),
    }];
    parameters.init_process_enabled = true;
    parameters.shared_memory_mib = Some(64);
    parameters.tmpfs = vec![Tmpfs {
        container_path: "/run".to_owned(),
        size_mib: 8,
        mount_options: texts(&["noexec"]),
    }];
    parameters.max_swap_mib = Some(128);
    parameters.swappiness = Some(10);
    resolved(&mut spec);
    spec
}

/// What the host made of it.
fn resolved(spec: &mut ContainerSpec) {
    for (name, value) in [("B", "2"), ("A", "1=1")] {
        spec.environment.insert(name.to_owned(), value.to_owned());
    }
    spec.binds = vec![
        Bind {
            source: "/etc/web".to_owned(),
            target: "/etc/web".to_owned(),
            read_only: true,
        },
        Bind {
            source: "ecs-web-1-data-00".to_owned(),
            target: "/data".to_owned(),
            read_only: false,
        },
    ];
    spec.volumes_from = vec![("other".to_owned(), true)];
    spec.links = vec![("ecs-web-1-db-00".to_owned(), "db".to_owned())];
    spec.ports = [(80, Some(8080)), (80, Some(8081)), (53, None)]
        .into_iter()
        .map(|(container_port, host_port)| PublishedPort {
            container_port,
            protocol: if container_port == 53 {
                Protocol::Udp
            } else {
                Protocol::Tcp
            },
            host_port,
        })
        .collect();
    spec.extra_hosts = vec![("peer".to_owned(), "192.0.2.2".to_owned())];
    spec.cgroup_parent = Some("/ecs/t1".to_owned());
    spec.memory_mib = Some(128);
    spec.cpu_shares = 256;
    spec.pid = NamespaceChoice::Container("pause".to_owned());
    spec.ipc = IpcChoice::Shareable;
    spec.log = Some(LogChoice {
        driver: "json-file".to_owned(),
        options: BTreeMap::from([("max-size".to_owned(), "10m".to_owned())]),
    });
}

#[test]
fn a_plain_container_leaves_everything_else_to_docker() {
    insta::assert_snapshot!(create_body(&spec()).to_string(), @r#"{"Image":"web:1","Labels":{"berth.instance":"i1","com.amazonaws.ecs.container-name":"app","com.amazonaws.ecs.task-arn":"arn:aws:ecs:local:000000000000:task/default/t1"},"HostConfig":{"CpuShares":2,"NetworkMode":"bridge"}}"#);
}

#[test]
fn a_container_with_every_parameter() {
    insta::assert_snapshot!(members(&create_body(&full_spec())), @r#"
    Image "web:1"
    Entrypoint ["/bin/sh","-c"]
    Cmd ["run"]
    Env ["A=1=1","B=2"]
    Labels {"berth.instance":"i1","com.amazonaws.ecs.container-name":"app","com.amazonaws.ecs.task-arn":"arn:aws:ecs:local:000000000000:task/default/t1"}
    ExposedPorts {"80/tcp":{},"53/udp":{}}
    Healthcheck {"Test":["CMD-SHELL","probe"],"Interval":30000000000,"Timeout":5000000000,"StartPeriod":10000000000,"Retries":3}
    User "1000:1000"
    WorkingDir "/srv"
    Hostname "web"
    Tty true
    OpenStdin true
    NetworkDisabled true
    StopTimeout 90
    -- HostConfig
    Binds ["/etc/web:/etc/web:ro","ecs-web-1-data-00:/data"]
    VolumesFrom ["other:ro"]
    Tmpfs {"/run":"noexec,size=8m"}
    Devices [{"PathOnHost":"/dev/fuse","PathInContainer":"/dev/fuse","CgroupPermissions":"rwm"}]
    Memory 134217728
    MemoryReservation 67108864
    MemorySwap 268435456
    MemorySwappiness 10
    CpuShares 256
    CgroupParent "/ecs/t1"
    ShmSize 67108864
    Ulimits [{"Name":"nofile","Soft":1024,"Hard":-1}]
    Sysctls {"net.core.somaxconn":"1024"}
    NetworkMode "bridge"
    PidMode "container:pause"
    IpcMode "shareable"
    PortBindings {"53/udp":[{"HostPort":""}],"80/tcp":[{"HostPort":"8080"},{"HostPort":"8081"}]}
    Links ["ecs-web-1-db-00:db"]
    Dns ["192.0.2.53"]
    DnsSearch ["example"]
    ExtraHosts ["db:192.0.2.1","peer:192.0.2.2"]
    Privileged true
    ReadonlyRootfs true
    CapAdd ["NET_ADMIN"]
    CapDrop ["ALL"]
    SecurityOpt ["no-new-privileges"]
    Init true
    LogConfig {"Type":"json-file","Config":{"max-size":"10m"}}
    "#);
}

#[test]
fn gpus_are_a_runtime_or_a_request_for_devices() {
    let host = |gpus: Option<GpuChoice>| {
        let mut spec = spec();
        spec.gpus = gpus;
        let body = create_body(&spec);
        let host = body["HostConfig"].clone();
        (host["Runtime"].clone(), host["DeviceRequests"].clone())
    };
    assert_eq!(host(None), (Value::Null, Value::Null));
    let runtime = GpuChoice::Runtime("nvidia".to_owned());
    assert_eq!(host(Some(runtime)), (json!("nvidia"), Value::Null));
    let devices = GpuChoice::Devices(texts(&["GPU-1", "GPU-2"]));
    let expected = json!([{"DeviceIDs": ["GPU-1", "GPU-2"], "Capabilities": [["gpu"]]}]);
    assert_eq!(host(Some(devices)), (Value::Null, expected));
}

#[test]
fn a_pause_container_dies_at_once_and_says_nothing() {
    let mut pause = spec();
    pause.pause = true;
    pause.network = NetworkChoice::None;
    let body = create_body(&pause);
    assert_eq!(body["StopSignal"], "SIGKILL");
    assert_eq!(body["HostConfig"]["LogConfig"], json!({ "Type": "none" }));
    assert_eq!(body["HostConfig"]["NetworkMode"], "none");
}

#[test]
fn modes_of_namespaces() {
    let mut joined = spec();
    joined.network = NetworkChoice::Container("p".to_owned());
    joined.pid = NamespaceChoice::Host;
    for (ipc, expected) in [
        (IpcChoice::None, "none"),
        (IpcChoice::Host, "host"),
        (IpcChoice::Container("p".to_owned()), "container:p"),
    ] {
        joined.ipc = ipc;
        let host = create_body(&joined)["HostConfig"].clone();
        assert_eq!(host["IpcMode"], expected);
        assert_eq!(host["NetworkMode"], "container:p");
        assert_eq!(host["PidMode"], "host");
    }
}

#[test]
fn swap_counts_on_top_of_memory_and_swappiness_only_with_it() {
    const MIB: u64 = 1024 * 1024;
    for (memory, max_swap, swappiness, expected) in [
        (Some(100), None, None, (None, None)),
        (Some(100), None, Some(60), (None, None)),
        (Some(100), Some(0), None, (Some(100), None)),
        (Some(100), Some(50), Some(60), (Some(150), Some(60))),
        (None, Some(50), Some(60), (None, None)),
    ] {
        let mut spec = spec();
        spec.memory_mib = memory;
        spec.definition.linux_parameters.max_swap_mib = max_swap;
        spec.definition.linux_parameters.swappiness = swappiness;
        let host = create_body(&spec)["HostConfig"].clone();
        let found = (
            host["MemorySwap"].as_u64().map(|bytes| bytes / MIB),
            host["MemorySwappiness"].as_u64(),
        );
        assert_eq!(found, expected, "{memory:?} {max_swap:?} {swappiness:?}");
    }
}

#[test]
fn a_health_check_of_none_switches_the_images_own_off() {
    let mut spec = spec();
    spec.definition.health_check = Some(HealthCheck {
        command: texts(&["NONE"]),
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(5),
        retries: 3,
        start_period: Duration::ZERO,
    });
    let body = create_body(&spec);
    assert_eq!(body["Healthcheck"], json!({ "Test": ["NONE"] }));
}
