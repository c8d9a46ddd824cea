//! What values mean, and how wrong ones are worded.

use super::check::{check, check_text, good, with_container, with_task};

#[test]
fn null_and_empty_are_absent() {
    let nothing = good(&with_container("")).definition;
    let text = with_task(
        r#""taskRoleArn": "", "networkMode": null, "ipcMode": "", "pidMode": "", "volumes": [],
           "placementConstraints": [], "tags": [], "runtimePlatform": null, "proxyConfiguration": null"#,
        r#""command": [], "entryPoint": null, "environment": [], "essential": null, "cpu": 0,
           "memory": null, "healthCheck": null, "linuxParameters": null, "links": [], "hostname": "",
           "logConfiguration": null, "portMappings": null, "user": """#,
    );
    let parsed = good(&text);
    assert_eq!(parsed.warnings, []);
    assert_eq!(parsed.definition, nothing);
}

/// ECS says so of tasks for Windows: the network that Docker gives where nobody says which.
#[test]
fn the_default_network_is_a_bridge() {
    let plain = good(&with_container("")).definition;
    let text = with_task(r#""networkMode": "default""#, "");
    assert_eq!(good(&text).definition, plain);
}

#[test]
fn an_empty_environment_value_is_a_value() {
    let fields =
        r#""environment": [{"name": "A", "value": ""}, {"name": "B"}], "entryPoint": [""]"#;
    let definition = good(&with_container(fields)).definition;
    let web = &definition.containers[0];
    assert_eq!((&*web.environment["A"], &*web.environment["B"]), ("", ""));
    assert_eq!(web.entry_point.as_deref(), Some(&[String::new()][..]));
}

#[test]
fn sizes_are_read_as_people_write_them() {
    for (cpu, memory, expected) in [
        (r#"".25 vcpu""#, r#""1 gb""#, (256, 1024)),
        (r#""1 vCPU""#, r#"".5GB""#, (1024, 512)),
        ("512", "2048", (512, 2048)),
        ("512.0", r#""2048""#, (512, 2048)),
    ] {
        let text = format!(
            r#"{{"family": "f", "cpu": {cpu}, "memory": {memory},
                "containerDefinitions": [{{"name": "a", "image": "b", "cpu": "10", "essential": "true"}}]}}"#
        );
        let definition = good(&text).definition;
        assert_eq!(
            (definition.cpu_units, definition.memory_mib),
            (Some(expected.0), Some(expected.1))
        );
        assert_eq!(definition.containers[0].cpu_units, 10);
    }
}

#[test]
fn wrong_types_are_named_with_what_would_be_right() {
    check(&[
        (
            r#""cpu": "CPU_UNITS""#,
            &[
                "cpu: must be a whole number of CPU units or \"… vcpu\", is \"CPU_UNITS\"; \
               if it is a placeholder, fill it with --var CPU_UNITS=VALUE",
            ],
        ),
        (
            r#""cpu": 1.5"#,
            &["cpu: must be a whole number of CPU units or \"… vcpu\", is \"1.5\""],
        ),
        (
            r#""cpu": [1]"#,
            &["cpu: must be a whole number of CPU units or \"… vcpu\", is a list"],
        ),
        (
            r#""essential": "yes""#,
            &["essential: must be true or false, is \"yes\"; \
               if it is a placeholder, fill it with --var yes=VALUE"],
        ),
        (
            r#""essential": "True", "privileged": "FALSE""#,
            &[
                "essential: must be true or false, is \"True\"; write true",
                "privileged: must be true or false, is \"FALSE\"; write false",
            ],
        ),
        (
            r#""privileged": 1"#,
            &["privileged: must be true or false, is a number"],
        ),
        (
            r#""command": "sleep 1""#,
            &["command: must be a list, is a text: write [\"…\"]"],
        ),
        (
            r#""command": {"a": 1}"#,
            &["command: must be a list, is an object: put it in brackets, [{…}]"],
        ),
        (r#""links": 5"#, &["links: must be a list, is a number"]),
        (
            r#""command": ["a", 1]"#,
            &["command[1]: must be a text, is a number: put it in quotes"],
        ),
        (
            r#""user": {"Ref": "User"}"#,
            &["user: must be a text, is a CloudFormation function: write what it yields"],
        ),
        (r#""user": {}"#, &["user: must be a text, is an object"]),
        (
            r#""dockerLabels": "a=b""#,
            &["dockerLabels: must be an object of texts, is a text: write {\"name\": \"value\"}"],
        ),
        (
            r#""healthCheck": [{"command": ["NONE"]}]"#,
            &["healthCheck: must be a health check, is a list: take it out of the brackets"],
        ),
        (
            r#""dependsOn": {"containerName": "x", "condition": "START"}"#,
            &[
                "dependsOn: must be a list, is an object: put it in brackets, [{…}]",
                "dependsOn.containerName: the task has no container \"x\"",
            ],
        ),
    ]);
}

#[test]
fn environment_is_a_list_and_its_values_stay_out_of_messages() {
    check(&[
        (
            r#""environment": {"A": "hunter2"}"#,
            &["environment: must be a list, is an object: \
               write [{\"name\": \"…\", \"value\": \"…\"}]"],
        ),
        (
            r#""environment": [{"name": "A", "value": 314159}]"#,
            &["environment[0].value: must be a text, is a number: put it in quotes"],
        ),
        (
            r#""environment": [{"value": "hunter2"}, {"name": ""}]"#,
            &[
                "environment[0].name: is missing",
                "environment[1].name: is empty",
            ],
        ),
        (
            r#""environment": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]"#,
            &["warning: environment[1].name: A is given twice, the last one counts"],
        ),
        (
            r#""command": ["a", "b\u0000"], "entryPoint": ["\u0000"]"#,
            &[
                "entryPoint[0]: has a NUL character, no argument can",
                "command[1]: has a NUL character, no argument can",
            ],
        ),
        (
            r#""environment": [{"name": "A=", "value": "a\u0000"}]"#,
            &[
                "environment[0].name: has a '=' or NUL, no variable's name can",
                "environment[0].value: has a NUL character, no variable can",
            ],
        ),
        (
            r#""environment": [{"name": "A", "valueFrom": "x"}]"#,
            &[
                "warning: environment[0].valueFrom: is not a field of an environment variable, \
               ignored: it belongs to a secret",
            ],
        ),
        (
            r#""secrets": [{"name": "A"}, {"valueFrom": "x"}]"#,
            &[
                "secrets[0].valueFrom: is missing",
                "secrets[1].name: is missing",
            ],
        ),
        (
            r#""environment": [{"name": "A", "value": "1"}], "secrets": [{"name": "A", "valueFrom": "p"}]"#,
            &["secrets: A is given by environment too"],
        ),
    ]);
}

#[test]
fn unknown_keys_are_ignored_with_the_nearest_known_one() {
    check(&[
        (
            r#""memroy": 5"#,
            &[
                "warning: memroy: is not a field of a container definition, ignored: did you mean memory?",
            ],
        ),
        (
            r#""volumes": []"#,
            &[
                "warning: volumes: is not a field of a container definition, ignored: \
               it belongs to a task definition",
            ],
        ),
        (
            r#""zzz": {"<X>": "${Y}"}"#,
            &["warning: zzz: is not a field of a container definition, ignored"],
        ),
        (
            r#""port_mappings": []"#,
            &[
                "port_mappings: is written port_mappings, ECS reads portMappings: keys count their case",
            ],
        ),
    ]);
}

#[test]
fn words_in_another_case_are_named_with_what_was_meant() {
    check_text(
        &with_task(
            r#""networkMode": "AWSVPC", "requiresCompatibilities": ["fargate"],
               "runtimePlatform": {"operatingSystemFamily": "linux", "cpuArchitecture": "amd64"}"#,
            r#""dependsOn": [{"containerName": "web", "condition": "healthy"}],
               "logConfiguration": {"logDriver": "AWSLogs"}, "portMappings": [{"containerPort": 1, "protocol": "TCP"}]"#,
        ),
        &[
            "networkMode: must be bridge, host, awsvpc, none, default, is \"AWSVPC\"; write awsvpc",
            "dependsOn[0].condition: must be START, COMPLETE, SUCCESS, HEALTHY, is \"healthy\"; write HEALTHY",
            "portMappings[0].protocol: must be tcp, udp, is \"TCP\"; write tcp",
            "logConfiguration.logDriver: is written \"AWSLogs\", ECS reads awslogs",
            "requiresCompatibilities[0]: must be EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES, \
             is \"fargate\"; write FARGATE",
            "runtimePlatform.operatingSystemFamily: is written linux, ECS reads LINUX",
            "runtimePlatform.cpuArchitecture: is Docker's word, ECS' is X86_64",
        ],
    );
}
