//! The registration by the checks of the specification.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::domain::host::{CgroupSupport, HostFacts};
use crate::domain::sample;
use crate::ecs::api::{ApiError, Failure, Registered, Registration};
use crate::ecs::config::{AgentVersion, Ec2Settings, EcsConfig, Features};
use crate::ecs::connect::Network;

fn config() -> EcsConfig {
    EcsConfig {
        cluster: Some("lab".to_owned()),
        region: Some("us-west-2".to_owned()),
        endpoint: None,
        attributes: BTreeMap::from([("stack".to_owned(), "blue".to_owned())]),
        tags: BTreeMap::new(),
        reserved_ports: (vec![22, 2375], vec![53]),
        features: Features {
            privileged: true,
            task_limits: true,
            task_roles: true,
            exclude_ipv6_bindings: true,
        },
        external: false,
        ec2: Ec2Settings::default(),
        network: Network::default(),
        version: AgentVersion {
            version: "0".into(),
            commit: "0".into(),
        },
        call_limit: Duration::from_secs(1),
    }
}

fn request(config: &EcsConfig, host: &HostFacts, identity: &Identity) -> Registration {
    registration(config, host, identity, "token")
}

fn names(request: &Registration) -> Vec<&str> {
    request
        .attributes
        .iter()
        .map(|(name, _)| name.as_str())
        .collect()
}

fn value<'a>(request: &'a Registration, name: &str) -> Option<&'a str> {
    let found = request.attributes.iter().find(|(known, _)| known == name)?;
    found.1.as_deref()
}

fn old() -> Identity {
    Identity {
        instance: Some("arn".to_owned()),
        cluster: Some("lab".to_owned()),
        ec2: Ec2Identity::default(),
    }
}

#[test]
fn check_015_017_and_025_a_first_registration_says_what_the_host_has() {
    let first = request(&config(), &sample::host(), &Identity::default());
    assert_eq!(
        (first.cluster.as_str(), first.instance.as_deref()),
        ("lab", None)
    );
    assert_eq!(first.identity, (String::new(), String::new()));
    assert_eq!(
        (first.resources.cpu_units, first.resources.memory_mib),
        (2_048, 4_096)
    );
    assert_eq!(
        (
            first.resources.ports.as_slice(),
            first.resources.ports_udp.as_slice()
        ),
        (&[22, 2375][..], &[53][..])
    );
    assert_eq!(first.client_token, "token");
}

#[test]
fn check_008_and_019_custom_attributes_come_with_the_first_registration_only() {
    let first = request(&config(), &sample::host(), &Identity::default());
    assert_eq!(
        first.attributes[0],
        ("stack".to_owned(), Some("blue".to_owned()))
    );
    let again = request(&config(), &sample::host(), &old());
    assert_eq!(again.instance.as_deref(), Some("arn"));
    assert!(!names(&again).contains(&"stack"));
    assert!(names(&again).contains(&"ecs.capability.full-sync"));
}

#[test]
fn check_020_the_system_is_always_named_the_architecture_for_external_hosts_only() {
    let mut config = config();
    let inside = request(&config, &sample::host(), &old());
    assert_eq!(value(&inside, "ecs.os-type"), Some("linux"));
    assert_eq!(value(&inside, "ecs.os-family"), Some("LINUX"));
    assert_eq!(value(&inside, "ecs.cpu-architecture"), None);
    assert!(!names(&inside).contains(&"ecs.capability.external"));
    config.external = true;
    let external = request(&config, &sample::host(), &old());
    assert_eq!(value(&external, "ecs.cpu-architecture"), Some("x86_64"));
    assert!(
        names(&external).contains(&"ecs.capability.external"),
        "check 023"
    );
}

#[test]
fn check_022_what_is_off_or_missing_is_not_named() {
    let all = request(&config(), &sample::host(), &old());
    for name in [
        "com.amazonaws.ecs.capability.privileged-container",
        "com.amazonaws.ecs.capability.task-iam-role",
        "com.amazonaws.ecs.capability.logging-driver.awslogs",
        "com.amazonaws.ecs.capability.logging-driver.none",
        "ecs.capability.task-cpu-mem-limit",
        "ecs.capability.docker-plugin.local",
    ] {
        assert!(names(&all).contains(&name), "{name}");
    }
    for name in [
        "ecs.capability.task-eni",
        "ecs.capability.secrets.ssm.environment-variables",
        "ecs.capability.efs",
    ] {
        assert!(!names(&all).contains(&name), "{name}");
    }
    let mut config = config();
    config.features.privileged = false;
    config.features.task_roles = false;
    let mut host = sample::host();
    host.cgroups = CgroupSupport::None;
    host.log_drivers.clear();
    host.volume_drivers.insert("vieux/sshfs:latest".to_owned());
    let few = request(&config, &host, &old());
    for name in [
        "com.amazonaws.ecs.capability.privileged-container",
        "com.amazonaws.ecs.capability.task-iam-role",
        "com.amazonaws.ecs.capability.logging-driver.awslogs",
        "ecs.capability.task-cpu-mem-limit",
    ] {
        assert!(!names(&few).contains(&name), "{name}");
    }
    assert!(names(&few).contains(&"ecs.capability.docker-plugin.vieux/sshfs"));
    assert!(names(&few).contains(&"ecs.capability.docker-plugin.vieux/sshfs.latest"));
}

#[test]
fn check_024_old_api_versions_are_named_as_the_scheduler_knows_them() {
    let all = request(&config(), &sample::host(), &old());
    let versions: Vec<&str> = names(&all)
        .into_iter()
        .filter_map(|name| name.strip_prefix("com.amazonaws.ecs.capability.docker-remote-api.1."))
        .collect();
    assert_eq!(versions.join(" "), "17 18 19 20 21 22 23 24 25 28 29 30 32");
}

fn error(code: &str, message: &str) -> ApiError {
    ApiError {
        operation: "RegisterContainerInstance",
        failure: Failure::Code(code.to_owned()),
        message: message.to_owned(),
    }
}

#[test]
fn check_029_031_and_032_the_code_says_whether_to_try_again() {
    for code in [
        "ServerException",
        "ThrottlingException",
        "LimitExceededException",
        "AccessDeniedException",
    ] {
        assert_eq!(
            judge_error(&error(code, ""), true),
            Verdict::Again,
            "{code}"
        );
    }
    let unreachable = ApiError {
        failure: Failure::Unreachable,
        ..error("", "")
    };
    assert_eq!(judge_error(&unreachable, true), Verdict::Again);
    for code in ["InvalidParameterException", "ClientException"] {
        assert!(
            matches!(judge_error(&error(code, ""), false), Verdict::Hopeless(_)),
            "{code}"
        );
    }
    let changed = "x. Container instance type changes are not supported. y";
    assert!(matches!(
        judge_error(&error("Other", changed), false),
        Verdict::Hopeless(_)
    ));
}

#[test]
fn check_033_and_034_only_the_default_cluster_is_made() {
    for missing in [
        error("ClusterNotFoundException", ""),
        error("ClientException", "Cluster not found."),
    ] {
        assert_eq!(judge_error(&missing, true), Verdict::MakeCluster);
        assert_ne!(judge_error(&missing, false), Verdict::MakeCluster);
    }
}

#[test]
fn check_030_a_value_that_comes_back_otherwise_is_hopeless() {
    let sent = request(&config(), &sample::host(), &Identity::default());
    let echo: BTreeMap<String, Option<String>> = sent.attributes.iter().cloned().collect();
    let mut answer = Registered {
        instance: "arn".to_owned(),
        attributes: echo,
    };
    assert_eq!(judge_registered(&sent, &answer), Verdict::Registered);
    answer.attributes.remove("ecs.capability.full-sync");
    assert_eq!(
        judge_registered(&sent, &answer),
        Verdict::Registered,
        "a name alone is not missed"
    );
    answer
        .attributes
        .insert("stack".to_owned(), Some("green".to_owned()));
    assert!(
        matches!(judge_registered(&sent, &answer), Verdict::Hopeless(words) if words.contains("stack"))
    );
}
