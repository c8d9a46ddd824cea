//! The forms in which people keep task definitions.

use super::check::{good, refusal, with_container};
use crate::definition::{MAX_CONTAINERS, ParseOptions, parse};

const BARE: &str = r#"[{"name": "web", "image": "nginx", "memory": 64}]"#;

#[test]
fn describe_output_is_read_with_and_without_its_wrapper() {
    let inner = r#"{"taskDefinitionArn": "arn:aws:ecs:r:1:task-definition/f:7", "family": "f", "revision": 7,
        "status": "ACTIVE", "registeredAt": 1.5, "registeredBy": "me", "deregisteredAt": null,
        "compatibilities": ["EC2"],
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.task-iam-role", "value": null}],
        "containerDefinitions": [{"name": "web", "image": "nginx", "memory": 64}]}"#;
    let plain = good(inner);
    assert_eq!(plain.warnings, []);
    assert_eq!(plain.definition.revision, 7);
    assert_eq!(
        plain.definition.requires_attributes,
        ["com.amazonaws.ecs.capability.task-iam-role"]
    );
    let wrapped =
        format!(r#"{{"taskDefinition": {inner}, "tags": [{{"key": "k", "value": "v"}}]}}"#);
    let wrapped = good(&wrapped).definition;
    assert_eq!(wrapped.tags["k"], "v");
    assert_eq!(wrapped.containers, plain.definition.containers);
}

#[test]
fn findings_stand_where_they_are_in_the_given_document() {
    let text = r#"{"taskDefinition": {"family": "f", "containerDefinitions": [{"name": "a b", "image": "i",
        "memory": 9}]}}"#;
    assert_eq!(
        refusal(text),
        [
            "taskDefinition.containerDefinitions[0].name: has the character ' ', \
          allowed are letters, digits, '-' and '_'"
        ]
    );
}

#[test]
fn a_bare_array_takes_its_family_from_the_hint() {
    let hinted = ParseOptions {
        family_hint: Some("my app.v2".to_owned()),
        ..ParseOptions::default()
    };
    let parsed = parse(BARE.as_bytes(), &hinted).unwrap();
    assert_eq!(parsed.definition.family.as_str(), "my-app-v2");
    assert_eq!(
        refusal(BARE),
        ["is a list of containers without a family: put it in a file named after the family"]
    );
    assert_eq!(
        refusal("[]"),
        ["is an empty list, must hold at least one container definition"]
    );
}

#[test]
fn a_family_of_the_document_goes_before_the_hint() {
    let hinted = ParseOptions {
        family_hint: Some("hint".to_owned()),
        ..ParseOptions::default()
    };
    let parsed = parse(with_container("").as_bytes(), &hinted).unwrap();
    assert_eq!(parsed.definition.family.as_str(), "f");
}

#[test]
fn a_definition_in_brackets_is_named_and_read_on() {
    let text = r#"[{"family": "f", "containerDefinitions": [{"name": "web", "memory": 9}]}]"#;
    assert_eq!(
        refusal(text),
        [
            "[0]: is a whole task definition in brackets: take it out of them",
            "[0].containerDefinitions[0].image: is missing",
        ]
    );
}

#[test]
fn cloudformation_spelling_is_named_with_what_was_meant_and_read_on() {
    let text = r#"{"Family": "f", "ContainerDefinitions": [
        {"Name": "web", "Image": "nginx", "Memory": 64, "PortMappings": [{"ContainerPort": 0}]}]}"#;
    assert_eq!(
        refusal(text),
        [
            "Family: is written Family, ECS reads family: keys count their case",
            "ContainerDefinitions: is written ContainerDefinitions, ECS reads containerDefinitions: \
             keys count their case",
            "ContainerDefinitions[0].Name: is written Name, ECS reads name: keys count their case",
            "ContainerDefinitions[0].Image: is written Image, ECS reads image: keys count their case",
            "ContainerDefinitions[0].Memory: is written Memory, ECS reads memory: keys count their case",
            "ContainerDefinitions[0].PortMappings: is written PortMappings, ECS reads portMappings: \
             keys count their case",
            "ContainerDefinitions[0].PortMappings[0].ContainerPort: is written ContainerPort, \
             ECS reads containerPort: keys count their case",
            "ContainerDefinitions[0].PortMappings[0].ContainerPort: must be 1 to 65535, is 0",
        ]
    );
    assert_eq!(
        refusal(r#"{"Resources": {}}"#),
        [
            "is a CloudFormation template: pass the Properties of its AWS::ECS::TaskDefinition, \
          with keys in camelCase"
        ]
    );
}

#[test]
fn other_documents_are_no_task_definition() {
    for text in ["1", "null", "\"x\""] {
        assert_eq!(
            refusal(text),
            ["must be a task definition, an object in braces"]
        );
    }
    assert_eq!(
        refusal("{}"),
        ["family: is missing", "containerDefinitions: is missing"]
    );
}

#[test]
fn more_containers_than_a_host_can_use_are_refused() {
    let one = r#"{"name": "web", "image": "nginx"}"#;
    let many = vec![one; MAX_CONTAINERS + 1].join(",");
    let text = format!(r#"{{"family": "f", "containerDefinitions": [{many}]}}"#);
    let words = "containerDefinitions: has 501 containers, the limit is 500";
    assert_eq!(refusal(&text), [words]);
}

#[test]
fn wrappers_that_are_alike_are_named_and_read_on() {
    let inner = r#"{"family": "f", "memory": "9", "containerDefinitions": [{"name": "web"}]}"#;
    for (wrapper, path, complaint) in [
        (
            r#"{"TaskDefinition": INNER}"#,
            "TaskDefinition",
            "TaskDefinition: is written TaskDefinition, AWS writes taskDefinition",
        ),
        (
            r#"{"taskDefinitions": INNER}"#,
            "taskDefinitions",
            "taskDefinitions: is written taskDefinitions, AWS writes taskDefinition",
        ),
        (
            r#"{"taskDefinition": [INNER]}"#,
            "taskDefinition[0]",
            "taskDefinition: is a list: take its one task definition out of the brackets",
        ),
        (
            r#"{"taskDefinitions": [INNER]}"#,
            "taskDefinitions[0]",
            "taskDefinitions: is a list: take its one task definition out of the brackets",
        ),
        (
            r#"{"Type": "AWS::ECS::TaskDefinition", "Properties": INNER}"#,
            "Properties",
            "is a resource of CloudFormation: pass its Properties alone, with keys in camelCase",
        ),
    ] {
        let missing = format!("{path}.containerDefinitions[0].image: is missing");
        assert_eq!(
            refusal(&wrapper.replace("INNER", inner)),
            [complaint, &missing]
        );
    }
    assert_eq!(
        refusal(&format!(r#"{{"taskDefinitions": [{inner}, {inner}]}}"#)),
        ["taskDefinitions: is a list: pass one task definition, an object in braces"]
    );
    let beside = with_container("").replacen('{', r#"{"taskDefinition": {}, "#, 1);
    let warnings: Vec<String> = good(&beside)
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        warnings,
        ["warning: taskDefinition: is not a field of a task definition, ignored"]
    );
}

#[test]
fn containers_by_name_are_told_as_such() {
    let text =
        r#"{"family": "f", "containerDefinitions": {"web": {"image": "i"}, "db": {"image": "i"}}}"#;
    assert_eq!(
        refusal(text),
        [
            "containerDefinitions: must be a list, is an object with a key for each container: \
             write [{\"name\": \"web\", …}, …]"
        ]
    );
    let one =
        r#"{"family": "f", "containerDefinitions": {"name": "web", "image": "i", "memory": 9}}"#;
    assert_eq!(
        refusal(one),
        ["containerDefinitions: must be a list, is an object: put it in brackets, [{…}]"]
    );
}
