//! A definition that comes by ACS is the one that standalone mode reads from a file, and what cannot be read is named.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::definition::{ParseOptions, parse};
use crate::domain::credentials::RoleKind;
use crate::domain::definition::{NetworkMode, RuntimePlatform, TaskDefinition};
use crate::domain::ids::ContainerName;
use crate::domain::registry::EcrAuth;
use crate::domain::status::DesiredStatus;
use crate::domain::task::EcsFacts;
use crate::domain::volume::{Volume, VolumeSource};
use crate::testing::acs;

const ARN: &str = "arn:aws:ecs:us-west-2:123456789012:task/lab/088d7b38061e4807bd7b81ad4e593d85";

fn parsed(text: &str) -> TaskDefinition {
    parse(text.as_bytes(), &ParseOptions::default())
        .unwrap()
        .definition
}

fn by_acs(definition: &TaskDefinition) -> PayloadTask {
    read_task(acs::task(definition, ARN, "RUNNING")).unwrap()
}

fn minimal() -> Value {
    let text = r#"{"family": "lab", "containerDefinitions": [{"name": "main", "image": "busybox:local", "memory": 32}]}"#;
    acs::task(&parsed(text), ARN, "RUNNING")
}

#[test]
fn check_143_a_payload_says_how_a_token_of_ecr_is_asked_for() {
    let mut task = minimal();
    task["containers"][0]["registryAuthentication"] = json!({"type": "ecr", "ecrAuthData": {
        "region": "eu-west-1", "registryId": "123456789012", "endpointOverride": "ecr.test", "useExecutionRole": true,
    }});
    let read = read_task(task.clone()).unwrap();
    assert_eq!(read.ignored, [""; 0]);
    let expected = EcrAuth {
        region: "eu-west-1".to_owned(),
        registry_id: "123456789012".to_owned(),
        endpoint: Some("ecr.test".to_owned()),
        use_execution_role: true,
    };
    let said = &read.definition.containers[0].registry_authentication;
    assert_eq!(*said, Some(expected));
    task["containers"][0]["registryAuthentication"] = json!({"type": "ecr"});
    let read = read_task(task).unwrap();
    let said = &read.definition.containers[0].registry_authentication;
    assert_eq!(
        *said,
        Some(EcrAuth::default()),
        "the host's own credentials"
    );
}

fn unreadable(task: Value) -> Unreadable {
    read_task(task).unwrap_err()
}

/// What ACS does not carry: the control plane has used it up when it placed the task, or resolved it.
fn without_what_acs_lacks(mut definition: TaskDefinition) -> TaskDefinition {
    definition.placement_constraints.clear();
    definition.requires_compatibilities.clear();
    definition.requires_attributes.clear();
    definition.runtime_platform = RuntimePlatform::default();
    definition.ephemeral_storage_gib = None;
    definition.tags.clear();
    definition.task_role_arn = None;
    definition.execution_role_arn = None;
    definition.inference_accelerators.clear();
    for container in &mut definition.containers {
        container.resource_requirements.clear();
        for mapping in &mut container.port_mappings {
            mapping.name = None;
            mapping.app_protocol = None;
        }
    }
    definition
}

fn assert_parity(name: &str, definition: TaskDefinition) {
    let definition = without_what_acs_lacks(definition);
    let task = by_acs(&definition);
    assert_eq!(*task.definition, definition, "{name}");
    assert_eq!(task.ignored, [""; 0], "{name}");
}

#[test]
fn both_modes_read_the_same_definition() {
    let text = r#"{"family": "f", "revision": 7, "cpu": "1 vcpu", "memory": "512", "networkMode": "host", "pidMode": "task",
      "ipcMode": "host", "enableFaultInjection": true,
      "volumes": [{"name": "e"}, {"name": "h", "host": {"sourcePath": "/h"}}, {"name": "d",
        "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": true, "driver": "local",
        "driverOpts": {"a": "b"}, "labels": {"c": "d"}}}],
      "containerDefinitions": [
        {"name": "init", "image": "a", "essential": false, "memoryReservation": 16},
        {"name": "web", "image": "r.test/b:1", "cpu": 10, "memory": 64, "memoryReservation": 32, "entryPoint": ["e", ""],
         "command": ["c d", "$X"], "environment": [{"name": "A", "value": "=1"}, {"name": "E", "value": ""}],
         "portMappings": [{"containerPort": 80}, {"containerPort": 53, "hostPort": 53, "protocol": "udp"}],
         "mountPoints": [{"sourceVolume": "h", "containerPath": "/m", "readOnly": true}],
         "volumesFrom": [{"sourceContainer": "init", "readOnly": true}],
         "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}], "startTimeout": 20, "stopTimeout": 9,
         "restartPolicy": {"enabled": true, "ignoredExitCodes": [0, 3], "restartAttemptPeriod": 60},
         "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 7, "timeout": 3, "retries": 2, "startPeriod": 5},
         "logConfiguration": {"logDriver": "syslog", "options": {"tag": "x"}, "secretOptions": [{"name": "o", "valueFrom": "p"}]},
         "secrets": [{"name": "S", "valueFrom": "q"}], "environmentFiles": [{"value": "arn:aws:s3:::b/k.env", "type": "s3"}],
         "linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"], "drop": ["MKNOD"]}, "initProcessEnabled": true,
           "devices": [{"hostPath": "/dev/null", "containerPath": "/dev/n", "permissions": ["read", "mknod"]}],
           "sharedMemorySize": 16, "tmpfs": [{"containerPath": "/t", "size": 5, "mountOptions": ["noexec"]}],
           "maxSwap": 10, "swappiness": 30},
         "ulimits": [{"name": "nofile", "softLimit": 10, "hardLimit": 20}],
         "systemControls": [{"namespace": "fs.mqueue.msg_max", "value": "20"}], "user": "1:2", "workingDirectory": "/w",
         "privileged": true, "readonlyRootFilesystem": true, "interactive": true, "pseudoTerminal": true,
         "dockerLabels": {"l": ""}, "dockerSecurityOptions": ["label:a"],
         "repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:r:1:secret:x"}}]}"#;
    let mut definition = parsed(text);
    // No file has them.
    definition.containers[1].gpu_ids = vec!["GPU-2".to_owned(), "GPU-1".to_owned()];
    assert_parity("everything", definition);
}

#[test]
fn both_modes_read_the_same_definition_on_a_bridge() {
    let text = r#"{"family": "f", "containerDefinitions": [
        {"name": "db", "image": "a", "memory": 16, "hostname": "h", "dnsServers": ["1.1.1.1"],
         "dnsSearchDomains": ["x.test"], "extraHosts": [{"hostname": "o", "ipAddress": "10.0.0.1"}]},
        {"name": "web", "image": "b", "memory": 16, "links": ["db:store"], "disableNetworking": false,
         "portMappings": [{"containerPortRange": "9000-9003"}]}]}"#;
    assert_parity("bridge", parsed(text));
}

/// Examples of the repository, and the public corpus where it lies beside it.
#[test]
fn both_modes_read_the_same_definition_from_every_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut read = 0;
    for folder in [root.join("examples"), root.join("../shared/corpus")] {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            println!("skipped: {} is not there", folder.display());
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let options = ParseOptions {
                family_hint: Some("f".to_owned()),
                ..ParseOptions::default()
            };
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
                && let Ok(parsed) = parse(&std::fs::read(&path).unwrap(), &options)
            {
                assert_parity(&path.display().to_string(), parsed.definition);
                read += 1;
            }
        }
    }
    assert!(read > 0);
}

/// The service's word for the network of a task of Windows (`windows.md` 13).
#[test]
fn a_task_of_the_default_network_is_read() {
    let text = r#"{"arn":"arn:aws:ecs:us-west-2:123456789012:task/lab/088d","family":"lab","version":"1",
        "desiredStatus":"RUNNING","networkMode":"default",
        "containers":[{"name":"main","image":"busybox:local","essential":true,"memory":512}]}"#;
    let task = read_task(serde_json::from_str(text).unwrap()).unwrap();
    assert_eq!(task.definition.network_mode, NetworkMode::Bridge);
}

#[test]
fn a_task_of_the_reference_transcripts_is_read_whole() {
    let text = r#"{"arn":"arn:aws:ecs:us-west-2:123456789012:task/lab/088d","family":"lab","version":"1",
        "desiredStatus":"STOPPED","overrides":"{}","volumes":[],"containers":[{"name":"main","image":"busybox:local",
        "essential":true,"cpu":10,"memory":32,"command":["sh","-c","exit 0"],"containerArn":"arn:aws:ecs:r:1:container/lab/e",
        "environment":{},"mountPoints":[],"volumesFrom":[],"portMappings":[],"links":[],"overrides":"{}",
        "dockerConfig":{"config":"{}","hostConfig":"{\"NetworkMode\": \"bridge\", \"CapAdd\": [], \"CapDrop\": []}",
        "version":"1.17"}}],"networkMode":"bridge","launchType":"EC2","taskDefinitionAccountId":"123456789012",
        "roleCredentials":{"credentialsId":"a19d5489","accessKeyId":"K","secretAccessKey":"marked","sessionToken":"marked",
        "expiration":"2026-11-23T17:51:52Z","roleArn":"arn:aws:iam::123456789012:role/lab-task-role"}}"#;
    let task = read_task(serde_json::from_str(text).unwrap()).unwrap();
    assert_eq!(task.status, DesiredStatus::Stopped);
    assert_eq!(task.ignored, [""; 0]);
    let arn = "arn:aws:ecs:r:1:container/lab/e".to_owned();
    let facts = EcsFacts {
        launch_type: Some("EC2".to_owned()),
        service_name: None,
        container_arns: [(ContainerName::parse("main").unwrap(), arn)].into(),
    };
    assert_eq!(task.ecs, facts);
    let role = task.definition.task_role_arn.as_deref();
    assert_eq!(role, Some("arn:aws:iam::123456789012:role/lab-task-role"));
    let [delivery] = task.deliveries.as_slice() else {
        panic!("{:?}", task.deliveries);
    };
    assert_eq!(
        (delivery.kind, delivery.given.id.expose()),
        (RoleKind::Task, "a19d5489")
    );
    assert_eq!(
        delivery.given.credentials.expiration.text,
        "2026-11-23T17:51:52Z"
    );
    assert!(!format!("{task:?}").contains("marked"));
}

#[test]
fn what_docker_is_told_and_this_version_is_not_is_named() {
    let mut task = minimal();
    task["containers"][0]["dockerConfig"] = json!({
        "config": r#"{"StopSignal": "SIGINT", "ExposedPorts": {"80/tcp": {}}}"#,
        "hostConfig": r#"{"UsernsMode": "host", "OomKillDisable": false}"#,
    });
    task["newMember"] = json!(1);
    let mut ignored = read_task(task).unwrap().ignored;
    ignored.sort();
    assert_eq!(
        ignored,
        [
            "containers[0].dockerConfig.config.StopSignal",
            "containers[0].dockerConfig.hostConfig.UsernsMode",
            "newMember"
        ]
    );
}

#[test]
fn an_environment_of_docker_replaces_the_whole_one() {
    let mut task = minimal();
    task["containers"][0]["environment"] = json!({"A": "1", "B": null});
    let read = read_task(task.clone()).unwrap();
    assert_eq!(read.definition.containers[0].environment["B"], "");
    task["containers"][0]["dockerConfig"]["config"] = json!(r#"{"Env": ["C=x=y", "D="]}"#);
    let read = read_task(task).unwrap();
    let environment = &read.definition.containers[0].environment;
    let pairs: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(pairs, [("C", "x=y"), ("D", "")]);
}

#[test]
fn an_override_may_change_the_command_and_nothing_else() {
    let mut task = minimal();
    task["containers"][0]["overrides"] = json!(r#"{"command": ["x"]}"#);
    let read = read_task(task.clone()).unwrap();
    assert_eq!(
        read.definition.containers[0].command.as_deref(),
        Some(&["x".to_owned()][..])
    );
    task["containers"][0]["overrides"] = json!(r#"{"cpu": 1}"#);
    assert_eq!(
        unreadable(task).why,
        "containers[0].overrides: has the unknown member \"cpu\""
    );
}

#[test]
fn an_association_names_a_gpu_of_its_container() {
    let mut task = minimal();
    let gpu = |id: &str, containers: &[&str]| json!({"name": id, "type": "gpu", "containers": containers});
    task["associations"] = json!([
        gpu("GPU-2", &["main"]),
        {"name": "eia", "type": "elastic-inference", "containers": ["other"]},
        gpu("GPU-1", &["main"]),
    ]);
    let read = read_task(task.clone()).unwrap();
    let main = &read.definition.containers[0];
    assert_eq!(main.gpu_ids, ["GPU-2", "GPU-1"]);
    assert_eq!(main.resource_requirements, []);
    assert_eq!(read.ignored, [""; 0]);
    for (containers, why) in [
        (
            &["main", "other"][..],
            "could not associate multiple containers to GPU GPU-3",
        ),
        (&[], "could not associate multiple containers to GPU GPU-3"),
        (
            &["other"],
            "could not find container with name other for associating GPU GPU-3",
        ),
    ] {
        task["associations"][0] = gpu("GPU-3", containers);
        let unreadable = unreadable(task.clone());
        assert_eq!(unreadable.why, why);
        assert_eq!(unreadable.trouble, Trouble::CannotRun);
    }
}

#[test]
fn a_task_that_cannot_be_read_is_named_with_its_field() {
    for (member, value, why) in [
        (
            "desiredStatus",
            json!("SLEEPING"),
            "desiredStatus: unrecognized task status",
        ),
        ("containers", json!([]), "containers: has none"),
        ("containers", json!([5]), "containers[0]: is no object"),
        (
            "containers",
            json!("x"),
            "containerDefinitions: must be a list, is a text: write [\"…\"]",
        ),
        (
            "cpu",
            json!(-1.0),
            "cpu: must be a number of vCPUs from 0 to 192",
        ),
        (
            "volumes",
            json!([{"type": "host"}]),
            "invalid Volume; must include a name",
        ),
        (
            "volumes",
            json!([{"name": "v", "type": "odd"}]),
            "unrecognized volume type: \"odd\"",
        ),
        (
            "volumes",
            json!([{"name": "v", "type": "docker"}]),
            "invalid volume: empty volume configuration",
        ),
        (
            "roleCredentials",
            json!({"roleArn": "r"}),
            "roleCredentials: credentialsId is empty or no id",
        ),
        (
            "executionRoleCredentials",
            json!(5),
            "executionRoleCredentials: has a member of the wrong type",
        ),
    ] {
        let mut task = minimal();
        task[member] = value;
        let found = unreadable(task);
        assert_eq!(
            (found.trouble, found.why.as_str()),
            (Trouble::NoTask, why),
            "{member}"
        );
        assert_eq!(found.task.unwrap().as_str(), ARN);
    }
    let mut task = minimal();
    task["containers"][0]["portMappings"] = json!([{"containerPort": 99_999, "protocol": "tcp"}]);
    let why = unreadable(task).why;
    assert!(
        why.starts_with("containerDefinitions[0].portMappings[0].containerPort: "),
        "{why}"
    );
    for nobody in [json!(5), json!({}), json!({"arn": "x"})] {
        assert_eq!(unreadable(nobody).task, None);
    }
}

#[test]
fn a_task_whose_docker_configuration_is_none_can_never_run() {
    for (member, words) in [
        (
            "config",
            "containers[0]: Unable decode given docker config: line 1 column 1",
        ),
        (
            "hostConfig",
            "containers[0]: Unable to decode given host config: line 1 column 1",
        ),
    ] {
        let mut task = minimal();
        task["containers"][0]["dockerConfig"][member] = json!("marked");
        let found = unreadable(task);
        assert_eq!(
            (found.trouble, found.why.as_str()),
            (Trouble::CannotRun, words)
        );
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!("{\"HostConfig\": [\"")),
        Just(json!(
            "{\"Env\": [5, \"=\"], \"Tmpfs\": {\"/\": \"size=k,,\"}, \"MemorySwap\": 1}"
        )),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let names = prop::sample::select(vec![
            "name",
            "image",
            "type",
            "config",
            "hostConfig",
            "dockerConfig",
            "environment",
            "portMappings",
            "host",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(names.prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever stands in the place of a member: the task is read or refused, and never is there a panic.
    #[test]
    fn any_member_is_read_or_refused(
        member in prop::sample::select(vec![
            "desiredStatus", "containers", "volumes", "cpu", "memory", "version", "associations", "proxyConfiguration",
            "roleCredentials", "networkMode",
        ]),
        value in any_json(),
        inside in prop::sample::select(vec!["dockerConfig", "environment", "overrides", "secrets", "name", "links"]),
        within in any_json(),
    ) {
        let mut task = minimal();
        task["containers"][0][inside] = within;
        let _read = read_task(task.clone());
        task[member] = value;
        let _read = read_task(task);
    }
}

/// Otherwise the container would write into an empty volume of this host instead.
#[test]
fn a_volume_that_comes_as_an_attachment_is_none_of_this_host() {
    for kind in ["amazonebs", "s3files", "other"] {
        let task = json!({
            "arn": ARN, "desiredStatus": "RUNNING", "family": "f", "version": "1",
            "containers": [{"name": "main", "image": "a", "essential": true, "memory": 8}],
            "volumes": [{"name": "data"}, {"name": "scratch"}],
            "attachments": [{"attachmentType": kind, "attachmentProperties": [
                {"name": "volumeId", "value": "vol-1"}, {"name": "volumeName", "value": "data"},
            ]}],
        });
        let read = read_task(task).unwrap();
        let sources: Vec<bool> = read.definition.volumes.iter().map(is_of_host).collect();
        assert_eq!(sources, [kind == "other", true], "{kind}");
        assert_eq!(read.ignored, [""; 0]);
    }
}

fn is_of_host(volume: &Volume) -> bool {
    matches!(volume.source, VolumeSource::Empty)
}
