//! Placeholders of whole documents: named where they stand, filled before anything is typed.

use std::collections::BTreeMap;

use super::check::{check, check_text, good, options, refusal, with_container};
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

#[test]
fn capitals_in_an_image_that_can_be_pulled_are_warned_of() {
    for (image, word) in [
        (
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:TAG",
            "TAG",
        ),
        ("ACCOUNT.dkr.ecr.REGION.amazonaws.com/app", "ACCOUNT"),
        ("123456789012.dkr.ecr.REGION.amazonaws.com/app", "REGION"),
    ] {
        let text = format!(
            r#"{{"family": "f", "memory": "9", "containerDefinitions": [{{"name": "a", "image": "{image}"}}]}}"#
        );
        let warning = format!(
            "warning: image: {word} looks like a stand-in: fill it with --var {word}=VALUE"
        );
        check_text(&text, &[&warning]);
        let filled = parse(text.as_bytes(), &options(&[(word, "x1")])).unwrap();
        let image = filled.definition.containers[0].image.as_str().to_owned();
        assert!(image.contains("x1") && !image.contains(word), "{image}");
    }
    for image in [
        "minio/minio:RELEASE.2021-04-22T15-44-28Z",
        "app:1.0-SNAPSHOT",
    ] {
        let text = format!(
            r#"{{"family": "f", "memory": "9", "containerDefinitions": [{{"name": "a", "image": "{image}"}}]}}"#
        );
        check_text(&text, &[]);
    }
}

#[test]
fn one_that_stands_for_a_list_or_an_object_is_told_as_such() {
    check(&[
        (
            r#""environment": "${ENV}", "dockerLabels": "{{labels}}", "healthCheck": "<check>""#,
            &[
                "environment: holds the placeholder ${ENV}, which stands for a list: write the list",
                "healthCheck: holds the placeholder <check>, which stands for an object: write the object",
                "dockerLabels: holds the placeholder {{labels}}, which stands for an object: \
                 write the object",
            ],
        ),
        (
            r#""command": "echo""#,
            &["command: must be a list, is a text: write [\"…\"]"],
        ),
    ]);
    let text = r#"{"family": "f", "containerDefinitions": "${CONTAINERS}", "volumes": "${VOLS}"}"#;
    assert_eq!(
        refusal(text),
        [
            "containerDefinitions: holds the placeholder ${CONTAINERS}, which stands for a list: \
             write the list",
            "volumes: holds the placeholder ${VOLS}, which stands for a list: write the list",
        ]
    );
    for made in ["${jsonencode(env)}", "{{ env | tojson }}"] {
        let text = format!(r#"{{"family": "f", "containerDefinitions": {made}}}"#);
        let refused = refusal(&text).remove(0);
        assert!(
            refused.ends_with("; a template that makes JSON stands there: write what it makes"),
            "{refused}"
        );
    }
}
