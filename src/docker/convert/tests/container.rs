//! Containers as the list and inspect show them.

use serde_json::{Value, json};

use super::super::super::wire;
use super::super::container::{holder, instant, is_of_spec, listed, observed};
use super::sample::{ARN, ID, labels, read, spec};
use crate::domain::container_facts::ContainerNetwork;
use crate::domain::ids::UnixMillis;
use crate::domain::names::{
    LABEL_ATTEMPT, LABEL_CONTAINER_NAME, LABEL_DEFINITION, LABEL_INSTANCE, LABEL_TASK_ARN,
};
use crate::domain::port_mapping::{PortBinding, Protocol};
use crate::domain::runtime::{ObservedContainer, RunState};
use crate::domain::status::Health;

#[test]
fn list_entries_show_state_health_and_ports() {
    let entry = |state: &str, status: &str| {
        listed(read(json!({
            "Id": ID, "Names": ["/ecs-web-1-db-00/app", "/ecs-web-1-app-00"],
            "Labels": labels(&[(LABEL_ATTEMPT, "0"), (LABEL_DEFINITION, "{}")]),
            "State": state, "Status": status, "Mounts": null, "HostConfig": {"NetworkMode": "new"},
            "Ports": [
                {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 32768, "Type": "tcp"},
                {"IP": "::", "PrivatePort": 80, "PublicPort": 32768, "Type": "tcp"},
                {"PrivatePort": 443, "Type": "tcp"},
            ],
            "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}}},
        })))
    };
    let container = entry("running", "Up 2 minutes (healthy)").unwrap();
    assert_eq!(container.docker_name, "ecs-web-1-app-00");
    assert_eq!(container.task.as_str(), ARN);
    assert_eq!(container.attempt, Some(0));
    assert_eq!(container.definition.as_deref(), Some("{}"));
    let networks: Vec<(&str, &str)> = container
        .networks
        .iter()
        .map(|network| (network.name.as_str(), network.ipv4.as_str()))
        .collect();
    assert_eq!(networks, [("bridge", "172.17.0.2")]);
    let addresses: Vec<&str> = container
        .bindings
        .iter()
        .map(|b| b.bind_ip.as_str())
        .collect();
    assert_eq!(
        addresses,
        ["0.0.0.0", "::"],
        "unpublished ports are left out"
    );
    for (status, health) in [
        ("Up 2 minutes (healthy)", Health::Healthy),
        ("Up 2 minutes (unhealthy)", Health::Unhealthy),
        ("Up 1 second (health: starting)", Health::Unknown),
        ("Up 2 minutes", Health::Unknown),
        ("Up 2 minutes (Paused)", Health::Unknown),
    ] {
        assert_eq!(entry("running", status).unwrap().health, health, "{status}");
    }
    assert_eq!(entry("exited", "").unwrap().state, RunState::Exited);
    assert_eq!(entry("thawing", ""), None, "no guess at a new state");
}

#[test]
fn list_entries_of_newer_daemons_name_their_health() {
    let entry: wire::Summary = read(json!({
        "Id": ID, "Names": ["/a"], "Labels": labels(&[]), "State": "running", "Status": "Up",
        "Health": {"Status": "unhealthy", "FailingStreak": 3}, "Ports": null,
    }));
    assert_eq!(listed(entry).unwrap().health, Health::Unhealthy);
}

#[test]
fn list_entries_without_readable_labels_are_left_out() {
    for (label, text) in [
        (LABEL_TASK_ARN, "not an arn"),
        (LABEL_CONTAINER_NAME, "../x"),
    ] {
        let entry = json!({
            "Id": ID, "Names": ["/a"], "Labels": labels(&[(label, text)]), "State": "running",
        });
        assert_eq!(listed(read(entry)), None, "{label}");
    }
}

fn inspect(state: &Value) -> Option<ObservedContainer> {
    observed(read(json!({
        "Id": ID, "Name": "/ecs-web-1-app-00", "Image": "sha256:1", "State": state,
        "Created": "2026-01-02T03:04:04.12Z",
        "Mounts": [
            {"Type": "volume", "Name": "v", "Source": "/x/_data", "Destination": "/volume"},
            {"Type": "bind", "Source": "/b", "Destination": "/bind"},
        ],
        "Config": {"Labels": labels(&[]), "Tty": false, "Cmd": null},
        "HostConfig": {"RestartPolicy": {"Name": "a-new-one"}},
        "NetworkSettings": {
            "Ports": {
                "80/tcp": [{"HostIp": "", "HostPort": "8080"}],
                "81/sctp": [{"HostIp": "", "HostPort": "1"}],
                "82/tcp": null,
            },
            "Networks": {
                "bridge": {
                    "IPAddress": "172.17.0.2", "IPPrefixLen": 16, "Gateway": "172.17.0.1",
                    "GlobalIPv6Address": "", "MacAddress": "02:42:ac:11:00:02",
                },
                "six": {
                    "IPAddress": "", "GlobalIPv6Address": "fd00::2", "GlobalIPv6PrefixLen": 64,
                    "IPv6Gateway": "fd00::1",
                },
                "none": {"IPAddress": ""},
            },
        },
    })))
}

#[test]
fn inspect_of_a_running_container() {
    let container = inspect(&json!({
        "Status": "running", "Running": true, "OOMKilled": true, "Pid": 42, "ExitCode": 0,
        "StartedAt": "2026-01-02T03:04:05.678901234Z", "FinishedAt": "2026-01-01T00:00:00Z",
        "Health": {"Status": "healthy", "Log": [{"Output": "first"}, {"ExitCode": 3, "Output": "é".repeat(600)}]},
    }))
    .unwrap();
    assert_eq!(container.state, RunState::Running);
    assert_eq!(container.exit, None, "flags explain only an end");
    assert_eq!(container.pid, Some(42));
    assert_eq!(container.started_at, Some(UnixMillis(1_767_323_045_678)));
    assert_eq!(container.health, Health::Healthy);
    let probe = container.probe.unwrap();
    assert_eq!((probe.exit_code, probe.output.len()), (3, 1024));
    assert_eq!(container.created_at, Some(UnixMillis(1_767_323_044_120)));
    assert_eq!(
        container.bindings,
        [PortBinding {
            container_port: 80,
            protocol: Protocol::Tcp,
            bind_ip: "0.0.0.0".to_owned(),
            host_port: 8080,
        }]
    );
    assert_eq!(
        container.networks,
        [
            ContainerNetwork {
                name: "bridge".to_owned(),
                ipv4: "172.17.0.2".to_owned(),
                ipv4_prefix: 16,
                ipv4_gateway: "172.17.0.1".to_owned(),
                mac: "02:42:ac:11:00:02".to_owned(),
                ..ContainerNetwork::default()
            },
            ContainerNetwork {
                name: "none".to_owned(),
                ..ContainerNetwork::default()
            },
            ContainerNetwork {
                name: "six".to_owned(),
                ipv6: "fd00::2".to_owned(),
                ipv6_prefix: 64,
                ipv6_gateway: "fd00::1".to_owned(),
                ..ContainerNetwork::default()
            },
        ]
    );
    let mounts: Vec<(&str, &str)> = container
        .mounts
        .iter()
        .map(|mount| (mount.name.as_str(), mount.destination.as_str()))
        .collect();
    assert_eq!(mounts, [("", "/bind"), ("v", "/volume")]);
}

#[test]
fn inspect_of_an_ended_container() {
    let container = inspect(&json!({
        "Status": "exited", "OOMKilled": true, "ExitCode": 137, "Pid": 0, "Error": "",
        "StartedAt": "2026-01-02T03:04:05Z", "FinishedAt": "2026-01-02T03:04:06Z",
    }))
    .unwrap();
    let exit = container.exit.unwrap();
    assert_eq!((exit.code, exit.oom_killed), (Some(137), true));
    assert_eq!(exit.at, UnixMillis(1_767_323_046_000));
    assert_eq!((container.error, container.pid), (None, None));
}

#[test]
fn inspect_of_a_container_that_failed_to_start() {
    let container = inspect(&json!({
        "Status": "created", "ExitCode": 127, "Error": "exec: \"x\": not found",
        "StartedAt": "0001-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z",
    }))
    .unwrap();
    assert_eq!(container.state, RunState::Created);
    assert_eq!((container.exit, container.started_at), (None, None));
    assert_eq!(container.error.as_deref(), Some("exec: \"x\": not found"));
}

#[test]
fn states_come_from_the_word_and_else_from_the_flags() {
    for (state, expected) in [
        (
            json!({"Status": "paused", "Running": true, "Paused": true}),
            Some(RunState::Paused),
        ),
        (
            json!({"Status": "restarting", "Running": true, "Restarting": true}),
            Some(RunState::Restarting),
        ),
        (json!({"Status": "removing"}), Some(RunState::Removing)),
        (
            json!({"Status": "dead", "Dead": true}),
            Some(RunState::Dead),
        ),
        (
            json!({"Status": "exited", "Running": true}),
            Some(RunState::Running),
        ),
        (
            json!({"Status": "stopping", "Running": true}),
            Some(RunState::Running),
        ),
        (json!({"Status": "stopped"}), Some(RunState::Exited)),
        (
            json!({"Status": "thawing", "Running": true}),
            Some(RunState::Running),
        ),
        (json!({"Running": true}), Some(RunState::Running)),
        (json!({}), Some(RunState::Created)),
        (
            json!({"StartedAt": "2026-01-02T03:04:05Z"}),
            Some(RunState::Exited),
        ),
        (json!({"Status": "thawing"}), None),
    ] {
        let found = inspect(&state).map(|container| container.state);
        assert_eq!(found, expected, "{state}");
    }
}

#[test]
fn a_container_is_of_a_spec_if_all_three_labels_agree() {
    let state = json!({"Status": "created"});
    let mut found = inspect(&state).unwrap();
    assert!(is_of_spec(&spec(), &found));
    for label in [LABEL_INSTANCE, LABEL_TASK_ARN, LABEL_CONTAINER_NAME] {
        let mut other = found.clone();
        other.labels.insert(label.to_owned(), "other".to_owned());
        assert!(!is_of_spec(&spec(), &other), "{label}");
        let mut bare = spec();
        bare.labels.remove(label);
        other.labels.remove(label);
        assert!(!is_of_spec(&bare, &other), "{label} on neither side");
    }
    insta::assert_snapshot!(holder(&found), @"container 0123456789ab of task arn:aws:ecs:local:000000000000:task/default/t1, agent i1");
    found.labels.remove(LABEL_INSTANCE);
    insta::assert_snapshot!(holder(&found), @"container 0123456789ab of task arn:aws:ecs:local:000000000000:task/default/t1, made by another agent");
    found.labels.clear();
    insta::assert_snapshot!(holder(&found), @"container 0123456789ab, which is not of ECS");
}

#[test]
fn times_before_1970_mean_never() {
    assert_eq!(instant("0001-01-01T00:00:00Z"), None);
    assert_eq!(instant("1601-01-01T00:00:00Z"), None, "Windows' zero");
    assert_eq!(instant(""), None);
    assert_eq!(instant("1970-01-01T00:00:01Z"), Some(UnixMillis(1000)));
}
