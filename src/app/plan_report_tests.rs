//! Plan reports as people read them.

use super::super::plan_print;
use super::*;
use crate::domain::definition::{NetworkMode, TaskDefinition};
use crate::domain::depends_on::{Condition, Dependency};
use crate::domain::ids::VolumeName;
use crate::domain::sample;
use crate::domain::task::TaskOptions;
use crate::domain::volume::{MountPoint, Volume, VolumeSource};

fn asked(definition: TaskDefinition, options: TaskOptions, source: HostSource) -> Report {
    let (host, settings) = (sample::host(), EngineSettings::default());
    report(&Question {
        desired: sample::desired(definition, options),
        warnings: vec![(
            "containerDefinitions[0].foo".to_owned(),
            "is not known".to_owned(),
        )],
        host: &host,
        source,
        settings: &settings,
        definition_label: "{}",
    })
}

fn printed(report: &Report) -> String {
    let mut out = Vec::new();
    plan_print::text(report, &mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

fn calls(report: &Report) -> Vec<String> {
    report
        .steps
        .iter()
        .map(|step| format!("{} {}", step.container.as_deref().unwrap_or("-"), step.call))
        .collect()
}

/// `app` waits for `db`, which has a volume; the task has limits.
fn two_containers() -> TaskDefinition {
    let mut definition = sample::definition(&["app", "db"]);
    definition.cpu_units = Some(512);
    definition.memory_mib = Some(256);
    definition.containers[0].depends_on = vec![Dependency {
        container: sample::name("db"),
        condition: Condition::Healthy,
    }];
    let data = VolumeName::parse("data").expect("a name");
    definition.volumes = vec![Volume {
        name: data.clone(),
        source: VolumeSource::Empty,
    }];
    definition.containers[1].mount_points = vec![MountPoint {
        source_volume: data,
        container_path: "/data".to_owned(),
        read_only: false,
    }];
    definition
}

#[test]
fn steps_come_in_start_order_with_resources_first() {
    let report = asked(two_containers(), TaskOptions::default(), HostSource::Asked);
    insta::assert_snapshot!(calls(&report).join("\n"), @"
    - make cgroup /ecs/abc
    - POST /volumes/create
    db POST /images/create?fromImage=busybox&tag=1
    db POST /containers/create?name=ecs-web-0-db-7fd09256bc43d903ec6d
    db POST /containers/ecs-web-0-db-7fd09256bc43d903ec6d/start
    app POST /images/create?fromImage=busybox&tag=1
    app POST /containers/create?name=ecs-web-0-app-b5982a70ed7c07d3eacc
    app POST /containers/ecs-web-0-app-b5982a70ed7c07d3eacc/start
    ");
    assert_eq!(report.steps[6].after, ["db is HEALTHY"]);
}

#[test]
fn a_report_reads_top_down() {
    let report = asked(
        sample::definition(&["app"]),
        TaskOptions::default(),
        HostSource::Assumed(OsType::Linux),
    );
    insta::assert_snapshot!(printed(&report), @r#"
        Task definition web:0
        Docker does not answer: facts about this host are unknown, a plain Linux host is assumed.

        Findings:
          warning  containerDefinitions[0].foo: is not known

        Steps, each as soon as what it waits for holds:
          1. app: POST /images/create?fromImage=busybox&tag=1
             (if that fails, the image on the host is used)
          2. app: POST /containers/create?name=ecs-web-0-app-b5982a70ed7c07d3eacc
             {
               "Image": "busybox:1",
               "Labels": {
                 "berth.attempt": "0",
                 "berth.definition": "(2 bytes: the definition)",
                 "berth.instance": "default",
                 "com.amazonaws.ecs.cluster": "default",
                 "com.amazonaws.ecs.container-name": "app",
                 "com.amazonaws.ecs.task-arn": "arn:aws:ecs:local:000000000000:task/default/abc",
                 "com.amazonaws.ecs.task-definition-family": "web",
                 "com.amazonaws.ecs.task-definition-version": "0"
               },
               "HostConfig": {
                 "CpuShares": 2,
                 "NetworkMode": "bridge"
               }
             }
          3. app: POST /containers/ecs-web-0-app-b5982a70ed7c07d3eacc/start
    "#);
}

#[test]
fn a_refused_task_has_its_reason_and_no_steps() {
    let mut definition = sample::definition(&["app"]);
    definition.network_mode = NetworkMode::Awsvpc;
    let report = asked(
        definition.clone(),
        TaskOptions::default(),
        HostSource::Asked,
    );
    assert!(report.is_refused());
    assert_eq!(report.steps, []);
    assert!(
        printed(&report).contains("refused  networkMode"),
        "{}",
        printed(&report)
    );
    let as_bridge = TaskOptions {
        network_as: Some(NetworkMode::Bridge),
        ..TaskOptions::default()
    };
    let report = asked(definition, as_bridge, HostSource::Asked);
    assert!(
        calls(&report)[0].ends_with("POST /images/load"),
        "{report:?}"
    );
}

#[test]
fn host_ports_of_ranges_are_shown_as_an_example() {
    let mut definition = sample::definition(&["app"]);
    let mut port = sample::port(8000, None);
    port.container = ContainerPorts::Range {
        first: 8000,
        last: 8001,
    };
    definition.containers[0].port_mappings = vec![port];
    let report = asked(definition, TaskOptions::default(), HostSource::Asked);
    let create = &report.steps[1];
    assert!(create.note.is_some());
    let body = create.body.as_ref().expect("a body");
    assert_eq!(
        body["HostConfig"]["PortBindings"]["8001/tcp"][0]["HostPort"],
        "49154"
    );
}

#[test]
fn the_json_has_findings_and_whole_bodies() {
    let report = asked(two_containers(), TaskOptions::default(), HostSource::Asked);
    let json = plan_print::json(&report);
    assert_eq!(json["hostKnown"], true);
    assert_eq!(json["findings"][0]["effect"], "warning");
    assert_eq!(json["steps"][3]["body"]["Labels"]["berth.definition"], "{}");
}
