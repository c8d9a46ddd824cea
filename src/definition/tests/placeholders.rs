//! Placeholders of whole documents: named where they stand, filled before anything is typed.

use std::collections::BTreeMap;

use super::check::{check, good, options, refusal, with_container};
use crate::definition::{ParseOptions, parse};
use crate::domain::definition::NetworkMode;
use crate::domain::port_mapping::{ContainerPorts, Protocol};

#[test]
fn each_is_named_where_it_stands_and_blames_nothing_else() {
    let text = r#"{"family": "<family>", "cpu": "$CPU", "memory": "$MEM", "networkMode": "{{mode}}",
        "taskRoleArn": "arn:aws:iam::${ACCOUNT}:role/r", "containerDefinitions": [
        {"name": "$$$NAME$$$", "image": "<IMAGE1_NAME>", "links": ["other"], "dependsOn": [
            {"containerName": "other", "condition": "HEALTHY"}],
         "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}],
         "portMappings": [{"containerPort": "<port>"}]}],
        "volumes": [{"name": "<vol>"}]}"#;
    assert_eq!(
        refusal(text),
        [
            "family: holds the placeholder <family>: fill it with --var family=VALUE",
            "networkMode: holds the placeholder {{mode}}: fill it with --var mode=VALUE",
            "volumes[0].name: holds the placeholder <vol>: fill it with --var vol=VALUE",
            "containerDefinitions[0].name: holds the placeholder $$$NAME$$$: fill it with --var NAME=VALUE",
            "containerDefinitions[0].image: holds the placeholder <IMAGE1_NAME>: \
             fill it with --var IMAGE1_NAME=VALUE",
            "containerDefinitions[0].portMappings[0].containerPort: holds the placeholder <port>: \
             fill it with --var port=VALUE",
            "taskRoleArn: holds the placeholder ${ACCOUNT}: fill it with --var ACCOUNT=VALUE",
            "cpu: holds the placeholder $CPU: fill it with --var CPU=VALUE",
            "memory: holds the placeholder $MEM: fill it with --var MEM=VALUE",
        ]
    );
}

#[test]
fn given_variables_are_filled_before_values_are_typed() {
    let text = r#"{"family": "<family>", "cpu": "$CPU", "memory": "MEMORY", "networkMode": "{{mode}}",
        "containerDefinitions": [{"name": "${n}", "image": "ACCOUNT.example.com/app:{{ must_env `TAG` }}",
         "essential": "{{ess}}", "command": ["echo", "$HOME ${n} {{greeting}}"],
         "environment": [{"name": "CPU", "value": "<family>"}],
         "portMappings": [{"containerPort": "<port>", "protocol": "PROTOCOL"}]},
         {"name": "side", "image": "i", "dependsOn": [{"containerName": "${n}", "condition": "START"}]}]}"#;
    let given = options(&[
        ("family", "f"),
        ("CPU", "1 vcpu"),
        ("MEMORY", "64"),
        ("mode", "host"),
        ("n", "web"),
        ("ACCOUNT", "1"),
        ("TAG", "v2"),
        ("ess", "true"),
        ("greeting", "hi"),
        ("port", "8080"),
        ("PROTOCOL", "udp"),
    ]);
    let parsed = parse(text.as_bytes(), &given).unwrap();
    assert_eq!(parsed.warnings, []);
    let definition = parsed.definition;
    assert_eq!(
        (definition.cpu_units, definition.memory_mib),
        (Some(1024), Some(64))
    );
    assert_eq!(definition.network_mode, NetworkMode::Host);
    let web = &definition.containers[0];
    assert_eq!(web.image.as_str(), "1.example.com/app:v2");
    assert_eq!(web.command.as_ref().unwrap()[1], "$HOME web hi");
    assert_eq!(web.environment["CPU"], "f");
    assert_eq!(web.port_mappings[0].container, ContainerPorts::Single(8080));
    assert_eq!(web.port_mappings[0].protocol, Protocol::Udp);
}

#[test]
fn shell_and_templates_in_free_text_are_left_alone() {
    let fields = r#""entryPoint": ["sh", "-c"], "command": ["echo ${X} $Y <b> && test [ a ]"],
        "environment": [{"name": "A", "value": "pre-$B"}],
        "healthCheck": {"command": ["CMD-SHELL", "curl $URL"]},
        "logConfiguration": {"logDriver": "json-file", "options": {"tag": "{{.Name}}"}}"#;
    let parsed = good(&with_container(fields));
    assert_eq!(parsed.warnings, []);
    let command = parsed.definition.containers[0].command.clone().unwrap();
    assert_eq!(command, ["echo ${X} $Y <b> && test [ a ]"]);
}

#[test]
fn what_can_hardly_be_meant_in_free_text_is_warned_of() {
    check(&[
        (
            r#""environment": [{"name": "A", "value": "{{ ssm `/p` }}"}, {"name": "B", "value": "${B}"}]"#,
            &[
                "warning: environment[0].value: {{ ssm `/p` }} is passed on as written; \
                 if it is a placeholder, fill it with --var /p=VALUE",
                "warning: environment[1].value: ${B} is passed on as written; \
                 if it is a placeholder, fill it with --var B=VALUE",
            ],
        ),
        (
            r#""repositoryCredentials": {"credentialsParameter": "arn:YOUR_ID"}"#,
            &[
                "warning: repositoryCredentials.credentialsParameter: YOUR_ID looks like a stand-in: \
               fill it with --var YOUR_ID=VALUE",
            ],
        ),
    ]);
}

#[test]
fn an_image_in_capitals_is_taken_for_a_stand_in() {
    let text = r#"[{"name": "a", "image": "IMAGE", "memory": 9}]"#;
    let hinted = ParseOptions {
        family_hint: Some("f".to_owned()),
        ..ParseOptions::default()
    };
    let rejected = parse(text.as_bytes(), &hinted).unwrap_err().to_string();
    assert!(
        rejected.ends_with("; if it is a placeholder, fill it with --var IMAGE=VALUE"),
        "{rejected}"
    );
    let given = ParseOptions {
        variables: BTreeMap::from([("IMAGE".to_owned(), "nginx".to_owned())]),
        ..hinted
    };
    let parsed = parse(text.as_bytes(), &given).unwrap();
    assert_eq!(parsed.definition.containers[0].image.as_str(), "nginx");
}
