//! ECS' and Docker's rules, one small document a mistake.

use super::check::{check, check_text, good, lines, refusal, with_container, with_task};
use crate::definition::{ParseOptions, parse};
use crate::domain::volume::{VolumeScope, VolumeSource};

#[test]
fn names_and_images() {
    check_text(
        r#"{"family": "a b", "containerDefinitions": [{"name": "~internal~x", "image": "", "memory": 9}]}"#,
        &[
            "family: has the character ' ', allowed are letters, digits, '-' and '_'",
            "name: has the character '~', allowed are letters, digits, '-' and '_'",
            "image: is empty",
        ],
    );
    check_text(
        &with_task(
            r#""volumes": [{"name": "v"}, {"name": "v"}, {"name": "../v"}]"#,
            "",
        ),
        &[
            "volumes[2].name: has the character '.', allowed are letters, digits, '-' and '_'",
            "volumes[1].name: v is the name of volumes[0] too",
        ],
    );
    check_text(
        r#"{"family": "f", "memory": "99", "containerDefinitions": [
            {"name": "a", "image": "i", "essential": false}, {"name": "a", "image": "i", "essential": false}]}"#,
        &[
            "containerDefinitions[1].name: a is the name of containerDefinitions[0] too",
            "containerDefinitions: no container is essential: leave essential out, or true, in at least one",
        ],
    );
}

#[test]
fn a_task_has_a_container() {
    for (list, expected) in [
        ("[]", "containerDefinitions: is empty"),
        ("[null, null]", "containerDefinitions: is empty"),
        ("null", "containerDefinitions: is missing"),
    ] {
        let text = format!(r#"{{"family": "f", "containerDefinitions": {list}}}"#);
        assert_eq!(refusal(&text), [expected], "{list}");
    }
    let bare = "is an empty list, must hold at least one container definition";
    assert_eq!(refusal("[null]"), [bare]);
}

#[test]
fn port_mappings_one_by_one() {
    check(&[
        (
            r#""portMappings": [{"containerPort": 80, "hostPort": 70000}]"#,
            &["portMappings[0].hostPort: must be 0 to 65535, is 70000"],
        ),
        (
            r#""portMappings": [{"hostPort": 80}]"#,
            &["portMappings[0].containerPort: is missing"],
        ),
        (
            r#""portMappings": [{"containerPortRange": "90-80"}, {"containerPortRange": "80"}]"#,
            &[
                "portMappings[0].containerPortRange: must be first-last with 1 <= first <= last <= 65535, \
                 is \"90-80\"",
                "portMappings[1].containerPortRange: must be first-last with 1 <= first <= last <= 65535, \
                 is \"80\"",
            ],
        ),
        (
            r#""portMappings": [{"containerPort": 80, "containerPortRange": "80-90", "hostPort": 80}]"#,
            &[
                "portMappings[0].containerPortRange: stands beside containerPort: give one of them",
                "portMappings[0].hostPort: must be absent beside containerPortRange: \
                 the agent chooses the host's ports",
            ],
        ),
        (
            r#""portMappings": [{"containerPort": 80, "protocol": "http"}]"#,
            &[
                "portMappings[0].protocol: must be tcp, udp, is \"http\": write tcp; \
               appProtocol says what is spoken over it",
            ],
        ),
    ]);
    check_text(
        &with_task(
            r#""networkMode": "awsvpc""#,
            r#""portMappings": [{"containerPort": 80, "hostPort": 8080}]"#,
        ),
        &[
            "portMappings[0].hostPort: must be absent or 80 like containerPort \
           in network mode awsvpc, is 8080",
        ],
    );
    check_text(
        &with_task(
            r#""networkMode": "none""#,
            r#""portMappings": [{"containerPort": 80}], "links": ["web"]"#,
        ),
        &[
            "links: work in network mode bridge only",
            "portMappings: must be absent in network mode none",
            "dependsOn: containers wait for each other: web -> web",
        ],
    );
}

#[test]
fn port_mappings_that_clash() {
    let two = |mode: &str, first: &str, second: &str| {
        format!(
            r#"{{"family": "f", "memory": "99", "networkMode": "{mode}", "containerDefinitions": [
                {{"name": "a", "image": "i", "portMappings": [{{{first}}}]}},
                {{"name": "b", "image": "i", "portMappings": [{{{second}}}]}}]}}"#
        )
    };
    let port = r#""containerPort": 80"#;
    let fixed = r#""containerPort": 80, "hostPort": 80"#;
    let udp = r#""containerPort": 80, "hostPort": 80, "protocol": "udp""#;
    let range = r#""containerPortRange": "70-90""#;
    let clash = |at: &str| {
        vec![format!(
            "containerDefinitions[1].portMappings[0]: wants port {at}, \
             which containerDefinitions[0].portMappings[0] takes"
        )]
    };
    for (mode, first, second, expected) in [
        ("bridge", fixed, fixed, clash("80/tcp")),
        ("bridge", port, port, vec![]),
        ("bridge", fixed, udp, vec![]),
        ("bridge", range, range, vec![]),
        ("host", port, port, clash("80/tcp")),
        ("host", fixed, udp, vec![]),
        ("awsvpc", range, port, clash("80/tcp")),
        ("awsvpc", port, range, clash("80/tcp")),
    ] {
        let text = two(mode, first, second);
        let found = match parse(text.as_bytes(), &ParseOptions::default()) {
            Ok(parsed) => lines(&parsed.warnings),
            Err(rejected) => lines(&rejected.findings),
        };
        assert_eq!(found, expected, "{mode} {first} {second}");
    }
}

#[test]
fn volumes_and_mounts() {
    let volumes = r#""volumes": [
        {"name": "data", "host": {"sourcePath": "/srv/../etc"}},
        {"name": "rel", "host": {"sourcePath": "srv"}},
        {"name": "nul", "host": {"sourcePath": "/a\u0000"}},
        {"name": "task", "dockerVolumeConfiguration": {"scope": "task", "autoprovision": true}},
        {"name": "both", "host": {"sourcePath": "/a"}, "dockerVolumeConfiguration": {}},
        {"name": "kind", "dockerVolumeConfiguration": {"scope": "Shared", "driverOpts": "x"}}]"#;
    let mounts = r#""mountPoints": [
        {"sourceVolume": "dat", "containerPath": "/a"},
        {"sourceVolume": "data", "containerPath": "b"},
        {"sourceVolume": "data", "containerPath": "/x/.."},
        {"containerPath": "/c"},
        {"sourceVolume": "data", "containerPath": "/a"}],
        "volumesFrom": [{"sourceContainer": "nobody"}], "workingDirectory": "app""#;
    let relative = "is relative, must be absolute: `/…`, or `C:\\…` on Windows";
    let dots = "has a `..` component: write the path it leads to";
    check_text(
        &with_task(volumes, mounts),
        &[
            &format!("volumes[0].host.sourcePath: {dots}"),
            &format!("volumes[1].host.sourcePath: {relative}"),
            "volumes[2].host.sourcePath: has a NUL character, no path can",
            "volumes[3].dockerVolumeConfiguration.autoprovision: goes with scope shared only: \
             a volume of scope task is always made",
            "volumes[4]: has more than one source: give one of host, dockerVolumeConfiguration, \
             efsVolumeConfiguration and the like",
            "volumes[5].dockerVolumeConfiguration.scope: must be task, shared, is \"Shared\"; write shared",
            "volumes[5].dockerVolumeConfiguration.driverOpts: must be an object of texts, is a text: \
             write {\"name\": \"value\"}",
            &format!("workingDirectory: {relative}"),
            "mountPoints[0].sourceVolume: the task has no volume \"dat\": did you mean data?",
            &format!("mountPoints[1].containerPath: {relative}"),
            &format!("mountPoints[2].containerPath: {dots}"),
            "mountPoints[3].sourceVolume: is missing",
            "mountPoints[4].containerPath: is mounted twice in this container",
            "volumesFrom[0].sourceContainer: the task has no container \"nobody\"",
        ],
    );
}

#[test]
fn volume_sources() {
    let text = with_task(
        r#""volumes": [{"name": "a"}, {"name": "b", "host": {}}, {"name": "c", "host": {"sourcePath": "/c"}},
           {"name": "d", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": true}},
           {"name": "e", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/"}},
           {"name": "g", "configuredAtLaunch": true}]"#,
        "",
    );
    let parsed = good(&text);
    assert_eq!(parsed.warnings, []);
    let sources: Vec<&VolumeSource> = parsed
        .definition
        .volumes
        .iter()
        .map(|volume| &volume.source)
        .collect();
    assert!(matches!(
        sources.as_slice(),
        [
            VolumeSource::Empty,
            VolumeSource::Empty,
            VolumeSource::HostPath(path),
            VolumeSource::Docker(docker),
            VolumeSource::Aws("efsVolumeConfiguration"),
            VolumeSource::Aws("configuredAtLaunch"),
        ] if path == "/c" && docker.scope == VolumeScope::Shared { autoprovision: true }
    ));
}

#[test]
fn order_of_containers() {
    check(&[
        (
            r#""links": ["a:b:c", "gone:x", ":", "web:"]"#,
            &[
                "links[0]: must be container or container:alias, is \"a:b:c\"",
                "links[1]: the task has no container \"gone\"",
                "links[2]: must be container or container:alias, is \":\"",
                "links[3]: must be container or container:alias, is \"web:\"",
            ],
        ),
        (
            r#""dependsOn": [{"containerName": "wep", "condition": "START"}, {"containerName": "web"}]"#,
            &[
                "dependsOn[0].containerName: the task has no container \"wep\": did you mean web?",
                "dependsOn[1].condition: is missing",
            ],
        ),
    ]);
    check_text(
        r#"{"family": "f", "memory": "99", "containerDefinitions": [
            {"name": "a", "image": "i", "dependsOn": [{"containerName": "b", "condition": "HEALTHY"}]},
            {"name": "b", "image": "i", "volumesFrom": [{"sourceContainer": "a"}]}]}"#,
        &[
            "dependsOn[0].condition: is HEALTHY, but container b has no healthCheck",
            "dependsOn: containers wait for each other: a -> b -> a",
        ],
    );
}

#[test]
fn memory_and_cpu() {
    let bare = |fields: &str| {
        format!(
            r#"{{"family": "f", "containerDefinitions": [{{"name": "a", "image": "i", {fields}}}]}}"#
        )
    };
    check_text(
        &bare(r#""cpu": 5"#),
        &["warning: containerDefinitions[0]: has no memory limit: \
           ECS wants memory or memoryReservation, here or in the task"],
    );
    check_text(
        &bare(r#""memory": 64, "memoryReservation": 128"#),
        &["memoryReservation: must be at most memory (64), is 128"],
    );
    check_text(
        &bare(r#""memory": 4"#),
        &["memory: must be 6 to 33554432, is 4"],
    );
    check_text(
        &bare(r#""memoryReservation": -1"#),
        &["memoryReservation: must be 6 to 33554432, is -1"],
    );
    check_text(
        r#"{"family": "f", "memory": "100", "cpu": "128", "containerDefinitions": [
            {"name": "a", "image": "i", "memory": 200, "memoryReservation": 60, "cpu": 100},
            {"name": "b", "image": "i", "memory": 60, "cpu": 100}]}"#,
        &[
            "memory: must be at most the task's memory (100), is 200",
            "memory: is 100, less than its containers reserve together (120)",
            "warning: cpu: is 128, less than its containers ask for together (200)",
        ],
    );
    check_text(
        &with_task(r#""cpu": "64""#, ""),
        &["cpu: must be 128 to 196608, is 64"],
    );
}

#[test]
fn health_checks_that_are_one_text() {
    for (command, expected) in [
        (
            r#"["CMD-SHELL, curl -f x || exit 1"]"#,
            "must begin with CMD, CMD-SHELL or NONE, begins with \"CMD-SHELL, curl -f x || exit 1\": \
             write [\"CMD-SHELL\", \"curl -f x || exit 1\"]",
        ),
        (
            r#"["CMD, curl, -f, x"]"#,
            "must begin with CMD, CMD-SHELL or NONE, begins with \"CMD, curl, -f, x\": \
             write [\"CMD\", \"curl\", \"-f\", \"x\"]",
        ),
        (
            r#"["/bin/bash, curl -f x"]"#,
            "must begin with CMD, CMD-SHELL or NONE, begins with \"/bin/bash, curl -f x\": \
             write [\"CMD-SHELL\", \"curl -f x\"]",
        ),
        (
            r#"["bash, -c, x"]"#,
            "must begin with CMD, CMD-SHELL or NONE, begins with \"bash, -c, x\": \
             write [\"CMD\", \"bash\", \"-c\", \"x\"]",
        ),
        (
            r#"["CMD-SHELL,", "x"]"#,
            "must begin with CMD, CMD-SHELL or NONE, begins with \"CMD-SHELL,\": write CMD-SHELL",
        ),
    ] {
        let fields = format!(r#""healthCheck": {{"command": {command}}}"#);
        check_text(
            &with_container(&fields),
            &[&format!("healthCheck.command: {expected}")],
        );
    }
}

#[test]
fn health_checks() {
    let bad = |command: &str| format!(r#""healthCheck": {{"command": {command}}}"#);
    for (command, expected) in [
        (
            r#"["/healthcheck"]"#,
            "must begin with CMD, CMD-SHELL or NONE, begins with \"/healthcheck\": \
             write [\"CMD\", \"/healthcheck\"]",
        ),
        (
            r#"["powershell", "-c", "x"]"#,
            "must begin with CMD, CMD-SHELL or NONE, begins with \"powershell\": \
             write [\"CMD\", \"powershell\", …]",
        ),
        (
            r#"["curl -f x || exit 1"]"#,
            "must begin with CMD, CMD-SHELL or NONE, begins with \"curl -f x || exit 1\": \
             write [\"CMD-SHELL\", \"curl -f x || exit 1\"]",
        ),
        (
            r#"["cmd-shell", "x"]"#,
            "must begin with CMD, CMD-SHELL or NONE, begins with \"cmd-shell\": write CMD-SHELL",
        ),
        (r#"["CMD"]"#, "is CMD alone: the command is missing"),
        (
            r#"["CMD-SHELL", "a", "b"]"#,
            "must be CMD-SHELL and one text for the shell, has 2: join them, or write CMD",
        ),
    ] {
        let line = format!("healthCheck.command: {expected}");
        check_text(&with_container(&bad(command)), &[&line]);
    }
    check(&[
        (
            r#""healthCheck": {"command": ["NONE"], "interval": 4, "timeout": 121, "retries": 11, "startPeriod": 301}"#,
            &[
                "healthCheck.interval: must be 5 to 300, is 4",
                "healthCheck.timeout: must be 2 to 120, is 121",
                "healthCheck.startPeriod: must be 0 to 300, is 301",
                "healthCheck.retries: must be 1 to 10, is 11",
            ],
        ),
        (
            r#""healthCheck": {"interval": 5}"#,
            &["healthCheck.command: is missing"],
        ),
        (
            r#""restartPolicy": {"restartAttemptPeriod": 59}, "stopTimeout": -1"#,
            &[
                "restartPolicy.enabled: is missing",
                "restartPolicy.restartAttemptPeriod: must be 60 to 1800, is 59",
                "stopTimeout: must be 0 to 4294967295, is -1",
            ],
        ),
    ]);
}

#[test]
fn kernel_devices_and_addresses() {
    check(&[
        (
            r#""ulimits": [{"name": "NOFILE", "softLimit": 1, "hardLimit": 2}, {"name": "core", "softLimit": -1,
                "hardLimit": 5}, {"name": "core", "softLimit": 9, "hardLimit": -1}, {"name": "core", "softLimit": 6, "hardLimit": 5}]"#,
            &[
                "ulimits[0].name: \"NOFILE\" is no ulimit: did you mean nofile?",
                "ulimits[1].softLimit: must be at most hardLimit (5), is -1",
                "ulimits[3].softLimit: must be at most hardLimit (5), is 6",
            ],
        ),
        (
            r#""linuxParameters": {"swappiness": 101, "tmpfs": [{"containerPath": "/t", "size": 0}, {"containerPath": "t"}],
                "devices": [{"hostPath": "/dev/../x", "permissions": ["exec"]}],
                "capabilities": {"add": ["CAP_SYS_ADMIN", "net_admin"], "drop": ["ALL"]}}"#,
            &[
                "linuxParameters.devices[0].hostPath: has a `..` component: write the path it leads to",
                "linuxParameters.devices[0].permissions[0]: must be read, write, mknod, is \"exec\"; \
                 if it is a placeholder, fill it with --var exec=VALUE",
                "linuxParameters.tmpfs[0].size: must be 1 to 4294967295, is 0",
                "linuxParameters.tmpfs[1].containerPath: is relative, must be absolute: \
                 `/…`, or `C:\\…` on Windows",
                "linuxParameters.tmpfs[1].size: is missing",
                "linuxParameters.swappiness: must be 0 to 100, is 101",
                "linuxParameters.capabilities.add[0]: \"CAP_SYS_ADMIN\" is no capability: write SYS_ADMIN",
                "linuxParameters.capabilities.add[1]: \"net_admin\" is no capability: write NET_ADMIN",
            ],
        ),
        (
            r#""systemControls": [{"namespace": "vm.swappiness", "value": "1"}, {"namespace": "net.core.somaxconn"}]"#,
            &[
                "systemControls[0].namespace: is a parameter of the whole host; a container has its own \
                 net.*, fs.mqueue.*, kernel.msg*, kernel.sem and kernel.shm*",
                "systemControls[1].value: is missing",
            ],
        ),
        (
            r#""resourceRequirements": [{"type": "GPU", "value": "all"}, {"type": "gpu", "value": "1"}, {"type": "GPU", "value": 2}]"#,
            &[
                "resourceRequirements[0].value: must be a number of GPUs, is \"all\"",
                "resourceRequirements[1].type: must be GPU, InferenceAccelerator, is \"gpu\"; write GPU",
            ],
        ),
        (
            r#""gpuIds": ["GPU-1"]"#,
            &["gpuIds: is for ECS to say, which chooses the GPUs of its tasks"],
        ),
        (
            r#""extraHosts": [{"hostname": "a", "ipAddress": "1.2.3"}, {"hostname": "b", "ipAddress": "::1"}]"#,
            &["extraHosts[0].ipAddress: must be an IP address"],
        ),
        (
            r#""logConfiguration": {"options": {}}"#,
            &["logConfiguration.logDriver: is missing"],
        ),
        (
            r#""logConfiguration": {"logDriver": "loki"}"#,
            &[
                "warning: logConfiguration.logDriver: \"loki\" is no log driver of ECS, \
               it works only as a Docker plugin",
            ],
        ),
    ]);
}

#[test]
fn fields_of_the_task() {
    check_text(
        &with_task(
            r#""networkMode": "host", "tags": [{"key": "aws:x"}, {"key": "k"}, {"key": "k"}, {}],
               "ephemeralStorage": {"sizeInGiB": 5}, "pidMode": "pod",
               "placementConstraints": [{"type": "memberOf", "expression": "a > 1 and a < 3"}]"#,
            r#""systemControls": [{"namespace": "net.core.somaxconn", "value": "1"}]"#,
        ),
        &[
            "systemControls[0].namespace: is the host's in network mode host",
            "pidMode: must be host, task, is \"pod\"; if it is a placeholder, fill it with --var pod=VALUE",
            "ephemeralStorage.sizeInGiB: must be 20 to 200, is 5",
            "tags[0].key: begins with aws:, which is kept for AWS itself",
            "tags[2].key: is given twice",
            "tags[3].key: is missing",
        ],
    );
}

#[test]
fn lists_and_maps_have_a_limit() {
    let items = vec!["\"a\""; 10_001].join(",");
    let keys: Vec<String> = (0..10_001).map(|key| format!(r#""{key}": """#)).collect();
    check(&[
        (
            &format!(r#""command": [{items}]"#),
            &["command: has 10001 items, the limit is 10000"],
        ),
        (
            &format!(r#""dockerLabels": {{{}}}"#, keys.join(",")),
            &["dockerLabels: has 10001 keys, the limit is 10000"],
        ),
    ]);
}
