//! Parity of modes: one task definition run from a file and sent by ACS, and the bodies with which Docker is asked for
//! its containers. They differ in the listed places and in no other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::read_task;
use crate::definition::{ParseOptions, canonical, parse};
use crate::docker::create_body;
use crate::domain::credentials::CredentialsId;
use crate::domain::definition::TaskDefinition;
use crate::domain::ids::{ClusterName, TaskArn, TaskId, UnixMillis};
use crate::domain::layout::layout;
use crate::domain::sample;
use crate::domain::task::{DesiredTask, Origin, Task, TaskOptions};
use crate::reconcile::desired;
use crate::reconcile::handle::{Given, PutTask};
use crate::reconcile::plan::spec::{SpecInputs, container_spec};
use crate::reconcile::settings::{Endpoints, EngineSettings};
use crate::testing::acs;
use crate::testing::clock::SeededIds;

/// Where the bodies differ, and why. Ids are drawn for each task, that of its role by the control plane.
const DIFFERENT: [(&str, &str); 8] = [
    ("Labels/com.amazonaws.ecs.task-arn", "each mode names tasks"),
    (
        "Labels/berth.definition",
        "what the control plane has used up when it placed the task is not sent",
    ),
    ("Env/AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "an id"),
    ("Env/ECS_CONTAINER_METADATA_URI", "an id"),
    ("Env/ECS_CONTAINER_METADATA_URI_V4", "an id"),
    ("Env/ECS_AGENT_URI", "an id"),
    ("Env/ECS_CONTAINER_METADATA_FILE", "an id in its path"),
    ("HostConfig/Binds/metadata file", "an id in its path"),
];

/// Where metadata files are.
const METADATA: &str = "/var/lib/berth/data";

const ID: &str = "088d7b38061e4807bd7b81ad4e593d85";

const EVERYTHING: &str = r#"{"family": "f", "revision": 7, "cpu": "1 vcpu", "memory": "512", "pidMode": "task",
  "taskRoleArn": "arn:aws:iam::123456789012:role/web", "placementConstraints": [{"type": "memberOf", "expression": "attribute:stack == prod"}],
  "tags": [{"key": "k", "value": "v"}], "requiresCompatibilities": ["EC2"],
  "volumes": [{"name": "e"}, {"name": "h", "host": {"sourcePath": "/h"}},
    {"name": "d", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": true, "driver": "local"}}],
  "containerDefinitions": [
    {"name": "init", "image": "a", "essential": false, "memoryReservation": 16},
    {"name": "web", "image": "r.test/b:1", "cpu": 10, "memory": 64, "memoryReservation": 32, "entryPoint": ["e", ""],
     "command": ["c d", "$X"], "environment": [{"name": "A", "value": "=1"}, {"name": "E", "value": ""}],
     "portMappings": [{"name": "http", "appProtocol": "http", "containerPort": 80, "hostPort": 8080}],
     "mountPoints": [{"sourceVolume": "h", "containerPath": "/m", "readOnly": true}],
     "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}], "stopTimeout": 9,
     "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 7, "timeout": 3, "retries": 2, "startPeriod": 5},
     "logConfiguration": {"logDriver": "syslog", "options": {"tag": "x"}},
     "linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"], "drop": ["MKNOD"]}, "initProcessEnabled": true,
       "devices": [{"hostPath": "/dev/null", "containerPath": "/dev/n", "permissions": ["read", "mknod"]}],
       "sharedMemorySize": 16, "tmpfs": [{"containerPath": "/t", "size": 5, "mountOptions": ["noexec"]}],
       "maxSwap": 10, "swappiness": 30},
     "ulimits": [{"name": "nofile", "softLimit": 10, "hardLimit": 20}],
     "systemControls": [{"namespace": "net.core.somaxconn", "value": "20"}], "user": "1:2", "workingDirectory": "/w",
     "privileged": true, "readonlyRootFilesystem": true, "interactive": true, "pseudoTerminal": true, "hostname": "h",
     "dnsServers": ["1.1.1.1"], "extraHosts": [{"hostname": "o", "ipAddress": "10.0.0.1"}],
     "dockerLabels": {"l": ""}, "dockerSecurityOptions": ["no-new-privileges"]}]}"#;

fn put(put: PutTask, seed: u64) -> DesiredTask {
    let put = desired::put(None, put, UnixMillis(5), &SeededIds::new(seed));
    put.unwrap().0.unwrap()
}

/// As the watch of files, the admin API and `berth run` put it.
fn standalone(definition: TaskDefinition) -> DesiredTask {
    let (cluster, id) = (ClusterName::parse("lab"), TaskId::parse(ID));
    let task = PutTask {
        arn: TaskArn::standalone(&cluster.unwrap(), &id.unwrap()),
        definition: definition.into(),
        options: TaskOptions::default(),
        origin: Origin::File("f".to_owned()),
        expected_generation: None,
    };
    put(task, 1)
}

/// As a payload puts it.
fn connected(definition: &TaskDefinition) -> DesiredTask {
    let arn = format!("arn:aws:ecs:us-west-2:123456789012:task/lab/{ID}");
    let mut wire = acs::task(definition, &arn, "RUNNING");
    if let Some(role) = &definition.task_role_arn {
        wire["roleCredentials"] = json!({
            "credentialsId": "a19d5489", "accessKeyId": "K", "secretAccessKey": "S", "sessionToken": "T",
            "expiration": "2036-11-23T17:51:52Z", "roleArn": role,
        });
    }
    let read = read_task(wire).unwrap();
    let task = PutTask {
        arn: read.arn,
        definition: read.definition,
        options: TaskOptions::default(),
        origin: Origin::Ecs,
        expected_generation: None,
    };
    let role = definition.task_role_arn.as_ref();
    let given = Given {
        task_role: role.map(|_| CredentialsId::parse("a19d5489").unwrap()),
        ..Given::default()
    };
    desired::with_given(put(task, 2), given)
}

/// Name and body of each container, or why there is none.
fn bodies(desired: DesiredTask) -> Vec<Result<(String, Value), String>> {
    let settings = EngineSettings {
        cluster: "lab".to_owned(),
        endpoints: Endpoints {
            metadata: true,
            credentials: true,
            log_roles: false,
            region: Some("us-west-2".to_owned()),
            metadata_files: Some(METADATA.to_owned()),
        },
        ..EngineSettings::default()
    };
    let task = Task::new(desired);
    let (layout, host) = (layout(&task.desired), sample::host());
    let label = canonical(&task.desired.definition);
    let inputs = SpecInputs {
        task: &task,
        layout: &layout,
        host: &host,
        settings: &settings,
        definition_label: &label,
    };
    let body = |name| {
        let spec = container_spec(&inputs, name).map_err(|reason| reason.to_string())?;
        Ok((spec.docker_name.clone(), create_body(&spec)))
    };
    let containers = layout.containers.iter();
    containers.map(|container| body(&container.name)).collect()
}

/// A variable by its name, or a mount.
fn named(item: &Value) -> Option<(String, Value)> {
    let text = item.as_str()?;
    if text.starts_with(METADATA) {
        return Some(("metadata file".to_owned(), item.clone()));
    }
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    Some((name.to_owned(), value.into()))
}

/// Each leaf by its place; variables of the environment and mounts by their name.
fn leaves(at: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
    let below = |name: &str| format!("{at}/{name}");
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                leaves(&below(name), member, found);
            }
        }
        Value::Array(items) if ["/Env", "/HostConfig/Binds"].contains(&at) => {
            let names: Map<String, Value> = items.iter().filter_map(named).collect();
            assert_eq!(names.len(), items.len());
            leaves(at, &Value::Object(names), found);
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            found.insert(at.to_owned(), value.clone());
        }
    }
}

/// Places at which the bodies of two containers differ.
fn different(one: &Value, other: &Value) -> BTreeSet<String> {
    let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
    leaves("", one, &mut left);
    leaves("", other, &mut right);
    let places: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let places = places
        .into_iter()
        .filter(|at| left.get(*at) != right.get(*at));
    places.map(|at| at[1..].to_owned()).collect()
}

/// The places, over all containers of the definition; why there is no container is the same too.
fn compare(name: &str, definition: TaskDefinition) -> BTreeSet<String> {
    let mut needs = (definition.containers.iter()).flat_map(|it| &it.resource_requirements);
    let wants_gpus = needs.any(|need| need.kind == "GPU");
    let by_acs = bodies(connected(&definition));
    let from_file = bodies(standalone(definition));
    assert_eq!(by_acs.len(), from_file.len(), "{name}");
    let mut places = BTreeSet::new();
    for pair in from_file.into_iter().zip(by_acs) {
        match pair {
            (Ok((its_name, one)), Ok((other_name, other))) => {
                assert_eq!(its_name, other_name, "{name}");
                places.extend(different(&one, &other));
            }
            // ECS chooses the GPUs of its tasks; for those of files nobody does.
            (Err(words), _) if wants_gpus && words.contains("resourceRequirements") => {}
            (one, other) => assert_eq!(one, other, "{name}"),
        }
    }
    let mut unlisted = places.iter().filter(|place| {
        let mut listed = DIFFERENT.iter();
        !listed.any(|(known, _)| known == place)
    });
    assert_eq!(unlisted.next(), None, "{name}");
    places
}

fn parsed(bytes: &[u8]) -> Option<TaskDefinition> {
    let options = ParseOptions {
        family_hint: Some("f".to_owned()),
        ..ParseOptions::default()
    };
    Some(parse(bytes, &options).ok()?.definition)
}

#[test]
fn both_modes_ask_docker_for_the_same_but_for_what_is_listed() {
    let places = compare("everything", parsed(EVERYTHING.as_bytes()).unwrap());
    let listed = DIFFERENT.iter().map(|(place, _)| (*place).to_owned());
    assert_eq!(places, listed.collect(), "each that is listed differs");
}

/// Examples of the repository, and the public corpus where it lies beside it.
#[test]
fn both_modes_ask_docker_for_the_same_from_every_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = root.ancestors().map(|above| above.join("shared/corpus"));
    let mut compared = 0;
    for folder in corpus.chain([root.join("examples")]) {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| path.extension().is_some_and(|it| it == "json")) {
            if let Some(definition) = parsed(&std::fs::read(&path).unwrap()) {
                compare(&path.display().to_string(), definition);
                compared += 1;
            }
        }
    }
    println!("{compared} definitions compared");
    assert!(compared > 0);
}

#[test]
fn a_difference_is_found_wherever_it_is() {
    let places = different(
        &json!({"Env": ["A=1", "B=2"], "HostConfig": {"Binds": ["a:/x"], "Memory": 5}, "Cmd": []}),
        &json!({"Env": ["B=3", "A=1"], "HostConfig": {"Binds": ["a:/x", "b:/x:ro"], "Memory": 5, "Init": true}}),
    );
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let expected = [
        "Cmd",
        "Env/B",
        "HostConfig/Binds/b:/x:ro",
        "HostConfig/Init",
    ];
    assert_eq!(places, expected);
}
