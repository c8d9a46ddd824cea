//! The registration by the checks of the specification.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::domain::host::{CgroupSupport, Gpus, HostFacts, OsType};
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
        unread: Vec::new(),
        log_drivers: BTreeSet::new(),
        tags: BTreeMap::new(),
        reserved_ports: (vec![22, 2375], vec![53]),
        features: Features {
            privileged: true,
            task_limits: true,
            task_roles: true,
            execution_roles: true,
            log_roles: true,
            health_checks: true,
            exclude_ipv6_bindings: true,
        },
        exclude_ipv4_bindings: false,
        external: false,
        hide_zone: false,
        ec2: Ec2Settings::default(),
        ec2_endpoint: None,
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
fn check_019_a_new_host_is_not_registered_without_attributes_that_were_given() {
    let mut config = config();
    assert_eq!(unfit_to_begin(&config, &Identity::default()), None);
    config.unread = vec!["ECS_INSTANCE_ATTRIBUTES"];
    let words = unfit_to_begin(&config, &Identity::default());
    assert!(words.is_some_and(|words| words.contains("ECS_INSTANCE_ATTRIBUTES")));
    assert_eq!(unfit_to_begin(&config, &old()), None, "ECS has them");
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
}

/// What an external instance never names (config.md 14.4), after the prefix.
const NOT_ON_EXTERNAL: [&str; 12] = [
    "task-eni",
    "cni-plugin-version",
    "task-eni.ipv6",
    "task-eni-block-instance-metadata",
    "task-eni-trunking",
    "aws-appmesh",
    "task-eia",
    "task-eia.optimized-cpu",
    "service-connect-v1",
    "storage.ebs-task-volume-attach",
    "storage.ebsta-non-root-user",
    "fault-injection",
];

#[test]
fn check_023_an_external_host_says_so_and_names_none_of_the_twelve() {
    let mut config = config();
    config.external = true;
    let external = request(&config, &sample::host(), &Identity::default());
    let capabilities: Vec<&str> = names(&external)
        .into_iter()
        .filter_map(|name| name.strip_prefix("ecs.capability."))
        .collect();
    assert!(capabilities.contains(&"external"));
    assert!(capabilities.contains(&"full-sync"), "others are named");
    for name in capabilities {
        // One may come with a version after a dot.
        let is_it = |never: &&str| name == *never || name.starts_with(&format!("{never}."));
        assert!(!NOT_ON_EXTERNAL.iter().any(is_it), "{name}");
    }
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
        "com.amazonaws.ecs.capability.ecr-auth",
        "ecs.capability.execution-role-ecr-pull",
        "ecs.capability.container-health-check",
        "ecs.capability.execution-role-awslogs",
        "ecs.capability.secrets.ssm.environment-variables",
        "ecs.capability.secrets.asm.bootstrap.log-driver",
        "ecs.capability.private-registry-authentication.secretsmanager",
    ] {
        assert!(names(&all).contains(&name), "{name}");
    }
    for name in [
        "ecs.capability.task-eni",
        "ecs.capability.env-files.s3",
        "ecs.capability.efs",
    ] {
        assert!(!names(&all).contains(&name), "{name}");
    }
    let mut config = config();
    config.features.privileged = false;
    config.features.task_roles = false;
    config.features.health_checks = false;
    let mut host = sample::host();
    host.cgroups = CgroupSupport::None;
    host.log_drivers.clear();
    host.volume_drivers.insert("vieux/sshfs:latest".to_owned());
    let few = request(&config, &host, &old());
    for name in [
        "com.amazonaws.ecs.capability.privileged-container",
        "com.amazonaws.ecs.capability.task-iam-role",
        "com.amazonaws.ecs.capability.logging-driver.awslogs",
        "ecs.capability.execution-role-awslogs",
        "ecs.capability.container-health-check",
        "ecs.capability.task-cpu-mem-limit",
    ] {
        assert!(!names(&few).contains(&name), "{name}");
    }
    assert!(names(&few).contains(&"ecs.capability.docker-plugin.vieux/sshfs"));
    assert!(names(&few).contains(&"ecs.capability.docker-plugin.vieux/sshfs.latest"));
}

#[test]
fn log_drivers_are_those_of_docker_that_the_operator_names() {
    let drivers = |given: &[&str], host: &HostFacts| {
        let mut config = config();
        config.log_drivers = given.iter().map(|&driver| driver.to_owned()).collect();
        let said = request(&config, host, &old());
        let drivers = names(&said)
            .into_iter()
            .filter_map(|name| name.strip_prefix("com.amazonaws.ecs.capability.logging-driver."));
        drivers.collect::<Vec<_>>().join(" ")
    };
    let linux = sample::host();
    assert_eq!(
        drivers(&[], &linux),
        "awslogs journald json-file none syslog"
    );
    assert_eq!(
        drivers(&["syslog", "splunk", "journald"], &linux),
        "journald syslog"
    );
    assert_eq!(
        drivers(&["awslogs", "none", "journald", "splunk"], &windows()),
        "awslogs none"
    );
}

#[test]
fn check_028_gpus_are_named_where_tasks_may_have_them_and_never_on_windows() {
    let driver = |said: &Registration| {
        let version = value(said, "ecs.capability.gpu-driver-version").map(str::to_owned);
        let named = names(said).contains(&"ecs.capability.nvidia-driver-version.535.54.03");
        (named, version)
    };
    let off = request(&config(), &sample::host(), &old());
    assert_eq!((off.gpus.as_ref(), driver(&off)), (None, (false, None)));
    let mut host = sample::host();
    host.gpus = Some(Gpus::default());
    let none = request(&config(), &host, &old());
    assert_eq!(none.gpus.as_deref(), Some(&[][..]));
    assert_eq!(driver(&none), (false, None), "no version is known");
    let gpus = Gpus {
        driver_version: Some("535.54.03".to_owned()),
        ids: ["GPU-2", "GPU-1"].map(str::to_owned).into(),
    };
    host.gpus = Some(gpus.clone());
    let two = request(&config(), &host, &old());
    let ids = ["GPU-1", "GPU-2"].map(str::to_owned);
    assert_eq!(two.gpus.as_deref(), Some(&ids[..]));
    assert_eq!(driver(&two), (true, Some("535.54.03".to_owned())));
    assert_eq!(two.resources, off.resources, "they are no resource");
    let mut on_windows = windows();
    on_windows.gpus = Some(gpus);
    let said = request(&config(), &on_windows, &old());
    assert_eq!((said.gpus.as_ref(), driver(&said)), (None, (false, None)));
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

/// A host of Windows containers as its Docker describes it.
fn windows() -> HostFacts {
    let mut host = sample::host();
    host.os_type = OsType::Windows;
    host.cgroups = CgroupSupport::None;
    host.log_drivers = ["awslogs", "etwlogs", "fluentd", "json-file", "syslog"]
        .map(str::to_owned)
        .into();
    host.volume_drivers = ["local".to_owned()].into();
    let family = "WINDOWS_SERVER_2022_CORE".to_owned();
    host.attributes.insert("ecs.os-family".to_owned(), family);
    host
}

/// `windows.md` 9, and its checks 5 and 21: all that is named, since a name too many strands tasks that ask for it.
#[test]
fn a_windows_host_says_which_windows_it_is_and_what_it_can() {
    let said = request(&config(), &windows(), &old());
    assert_eq!(value(&said, "ecs.os-type"), Some("windows"));
    let family = Some("WINDOWS_SERVER_2022_CORE");
    assert_eq!(value(&said, "ecs.os-family"), family);
    assert_eq!(value(&said, "ecs.os-type-detailed"), family);
    let short = |name: &str| {
        name.replace("com.amazonaws.ecs.capability.", "old:")
            .replace("ecs.capability.", "new:")
    };
    let all: Vec<String> = names(&said).into_iter().map(short).collect();
    assert_eq!(
        all.join(" "),
        "old:privileged-container old:docker-remote-api.1.17 old:docker-remote-api.1.18 \
         old:docker-remote-api.1.19 old:docker-remote-api.1.20 old:docker-remote-api.1.21 \
         old:docker-remote-api.1.22 old:docker-remote-api.1.23 old:docker-remote-api.1.24 \
         old:docker-remote-api.1.25 old:docker-remote-api.1.28 old:docker-remote-api.1.29 \
         old:docker-remote-api.1.30 old:logging-driver.awslogs old:logging-driver.fluentd \
         old:logging-driver.json-file old:logging-driver.none old:logging-driver.syslog old:task-iam-role \
         old:task-iam-role-network-host new:execution-role-ecr-pull \
         new:private-registry-authentication.secretsmanager new:secrets.ssm.environment-variables \
         new:secrets.ssm.bootstrap.log-driver new:secrets.asm.environment-variables \
         new:secrets.asm.bootstrap.log-driver old:ecr-auth new:container-health-check new:ecr-endpoint new:container-ordering new:full-sync \
         new:network.container-port-range new:container-restart-policy new:docker-plugin.local ecs.os-type \
         ecs.os-family ecs.os-type-detailed"
    );
    let mut unreached = config();
    unreached.features.task_roles = false;
    let fewer = request(&unreached, &windows(), &old());
    let fewer: Vec<String> = names(&fewer).into_iter().map(short).collect();
    let missing: Vec<&String> = all.iter().filter(|name| !fewer.contains(name)).collect();
    assert_eq!(
        missing,
        ["old:task-iam-role", "old:task-iam-role-network-host"]
    );
    let mut nameless = windows();
    nameless.attributes.remove("ecs.os-family");
    let said = request(&config(), &nameless, &old());
    assert_eq!(value(&said, "ecs.os-family"), Some("windows"));
}

/// What `windows.md` 9 says is never named on Windows; parts of names.
const NEVER_ON_WINDOWS: [&str; 20] = [
    "task-cpu-mem-limit",
    "increased-task-cpu-limit",
    "task-eni.ipv6",
    "task-eni-trunking",
    "branch-cni-plugin-version",
    "pid-ipc-namespace-sharing",
    "aws-appmesh",
    "task-eia",
    "firelens",
    "efs",
    "storage.s3-files",
    "ebsta-non-root-user",
    "service-connect",
    "ipv6-only",
    "fault-injection",
    "nvidia-driver-version",
    "gpu-driver-version",
    "apparmor",
    "selinux",
    "journald",
];

proptest! {
    /// Check 22: whatever Docker and the settings say.
    #[test]
    fn a_windows_host_never_names_what_only_linux_can(
        flags in any::<[bool; 6]>(),
        cgroups in select(vec![CgroupSupport::V1, CgroupSupport::V2Systemd, CgroupSupport::None]),
        logs in subsequence(vec!["awslogs", "journald", "splunk", "etwlogs"], 0..=4),
        volumes in subsequence(vec!["local", "vieux/sshfs:latest", "rexray"], 0..=3),
    ) {
        let [privileged, task_limits, task_roles, external, selinux, apparmor] = flags;
        let mut config = config();
        config.features = Features { privileged, task_limits, task_roles, execution_roles: task_roles, log_roles: task_roles, health_checks: true, exclude_ipv6_bindings: true };
        config.external = external;
        let host = HostFacts {
            cgroups, selinux, apparmor,
            log_drivers: logs.into_iter().map(str::to_owned).collect(),
            volume_drivers: volumes.into_iter().map(str::to_owned).collect(),
            gpus: Some(Gpus { driver_version: Some("535".to_owned()), ..Gpus::default() }),
            ..windows()
        };
        let said = request(&config, &host, &Identity::default());
        for name in names(&said) {
            prop_assert!(!NEVER_ON_WINDOWS.iter().any(|part| name.contains(part)), "{name}");
            let plugin = name.strip_prefix("ecs.capability.docker-plugin.");
            prop_assert!(plugin.is_none_or(|plugin| plugin == "local"), "{name}");
        }
    }
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
    for failure in [Failure::Unreachable, Failure::Late] {
        let unanswered = ApiError {
            failure,
            ..error("", "")
        };
        assert_eq!(judge_error(&unanswered, true), Verdict::Unanswered);
    }
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
