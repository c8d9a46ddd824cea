//! What the caller of a task changes of its definition for one run: roles, command, environment, image, sizes.
//!
//! The result is checked again as a whole, so that an override cannot make a definition that a file could not.

use std::collections::BTreeMap;

use super::finding::{Finding, Notes, Rules};
use super::reader::quote;
use super::suggest;
use super::validate::{self, Layout};
use crate::domain::definition::{ContainerDefinition, TaskDefinition};
use crate::domain::image::ImageRef;

/// Changes to one run of a task definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Replaces `taskRoleArn`.
    pub task_role_arn: Option<String>,
    /// Replaces `executionRoleArn`.
    pub execution_role_arn: Option<String>,
    /// Changes to containers, applied in order.
    pub containers: Vec<ContainerOverride>,
}

/// Changes to one container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerOverride {
    /// Which container; `None` = the only one, or the first essential one.
    pub name: Option<String>,
    /// Replaces `command`; an empty list leaves the image's.
    pub command: Option<Vec<String>>,
    /// Added to `environment`, replacing what has the same name.
    pub environment: Vec<(String, String)>,
    /// Replaces `image`.
    pub image: Option<String>,
    /// Replaces `cpu`, in CPU units.
    pub cpu: Option<u32>,
    /// Replaces `memory`, in MiB.
    pub memory: Option<u32>,
}

/// The definition with the overrides applied.
///
/// # Errors
/// Every override that cannot be applied, by its path below `overrides`, and every rule that the result breaks.
pub fn apply_overrides(
    definition: &TaskDefinition,
    overrides: &Overrides,
) -> Result<TaskDefinition, Vec<Finding>> {
    let notes = Notes::new(Rules::Input, BTreeMap::new());
    let mut changed = definition.clone();
    if let Some(role) = &overrides.task_role_arn {
        changed.task_role_arn = Some(role.clone()).filter(|role| !role.is_empty());
    }
    if let Some(role) = &overrides.execution_role_arn {
        changed.execution_role_arn = Some(role.clone()).filter(|role| !role.is_empty());
    }
    for (index, change) in overrides.containers.iter().enumerate() {
        let path = format!("overrides.containers[{index}]");
        if let Some(container) = target(&mut changed, change, &path, &notes) {
            apply(container, change, &path, &notes);
        }
    }
    validate::check(&changed, &Layout::of(&changed), &notes);
    if notes.has_errors() {
        Err(notes.into_findings())
    } else {
        Ok(changed)
    }
}

fn target<'a>(
    definition: &'a mut TaskDefinition,
    change: &ContainerOverride,
    path: &str,
    notes: &Notes,
) -> Option<&'a mut ContainerDefinition> {
    let containers = &mut definition.containers;
    let Some(name) = &change.name else {
        let index = containers
            .iter()
            .position(|container| container.essential)
            .unwrap_or(0);
        return containers.get_mut(index);
    };
    let known = containers.iter().map(|container| container.name.as_str());
    let index = known.clone().position(|known| known == name);
    if index.is_none() {
        let names: Vec<&str> = known.clone().collect();
        let advice = match suggest::nearest(name, known) {
            Some(near) => format!(": did you mean {near}?"),
            None => format!(": it has {}", names.join(", ")),
        };
        notes.error(
            &format!("{path}.name"),
            format!("the task has no container {}{advice}", quote(name)),
        );
    }
    containers.get_mut(index?)
}

fn apply(
    container: &mut ContainerDefinition,
    change: &ContainerOverride,
    path: &str,
    notes: &Notes,
) {
    if let Some(command) = &change.command {
        container.command = Some(command.clone()).filter(|words| !words.is_empty());
    }
    for (index, (name, value)) in change.environment.iter().enumerate() {
        if name.is_empty() || name.contains(['=', '\0']) {
            notes.error(
                &format!("{path}.environment[{index}].name"),
                "must be a name without '=' and NUL",
            );
        } else if container.secrets.iter().any(|secret| secret.name == *name) {
            notes.error(
                &format!("{path}.environment[{index}].name"),
                format!("{name} is a secret of the container"),
            );
        } else {
            container.environment.insert(name.clone(), value.clone());
        }
    }
    if let Some(image) = &change.image {
        match ImageRef::parse(image) {
            Ok(image) => container.image = image,
            Err(error) => notes.error(&format!("{path}.image"), error.to_string()),
        }
    }
    if let Some(cpu) = change.cpu {
        container.cpu_units = cpu;
    }
    if let Some(memory) = change.memory {
        if memory < super::container::MIN_MEMORY_MIB {
            notes.error(
                &format!("{path}.memory"),
                format!(
                    "must be at least {}, is {memory}",
                    super::container::MIN_MEMORY_MIB
                ),
            );
        }
        container.memory_mib = Some(memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{ParseOptions, parse};

    fn definition() -> TaskDefinition {
        let text = br#"{"family": "f", "memory": "512", "containerDefinitions": [
            {"name": "init", "image": "a", "essential": false, "environment": [{"name": "A", "value": "1"}]},
            {"name": "web", "image": "b", "memoryReservation": 64,
             "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
             "secrets": [{"name": "S", "valueFrom": "p"}]}]}"#;
        parse(text, &ParseOptions::default()).unwrap().definition
    }

    fn errors(overrides: &Overrides) -> Vec<String> {
        let findings = apply_overrides(&definition(), overrides).unwrap_err();
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_to_override_changes_nothing() {
        let unchanged = apply_overrides(&definition(), &Overrides::default());
        assert_eq!(unchanged.unwrap(), definition());
    }

    #[test]
    fn an_unnamed_override_goes_to_the_first_essential_container() {
        let overrides = Overrides {
            task_role_arn: Some("role".to_owned()),
            execution_role_arn: Some(String::new()),
            containers: vec![ContainerOverride {
                command: Some(vec!["sh".to_owned()]),
                environment: vec![
                    ("B".to_owned(), "3".to_owned()),
                    ("C".to_owned(), String::new()),
                ],
                image: Some("c:1".to_owned()),
                cpu: Some(10),
                memory: Some(128),
                ..ContainerOverride::default()
            }],
        };
        let changed = apply_overrides(&definition(), &overrides).unwrap();
        assert_eq!(changed.task_role_arn.as_deref(), Some("role"));
        assert_eq!(changed.execution_role_arn, None);
        assert_eq!(changed.containers[0], definition().containers[0]);
        let web = &changed.containers[1];
        assert_eq!(web.command.as_deref(), Some(&["sh".to_owned()][..]));
        assert_eq!((web.image.as_str(), web.cpu_units), ("c:1", 10));
        assert_eq!(web.memory_mib, Some(128));
        let environment: Vec<(&str, &str)> = web
            .environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(environment, [("A", "1"), ("B", "3"), ("C", "")]);
    }

    #[test]
    fn every_bad_override_is_named() {
        let overrides = Overrides {
            containers: vec![
                ContainerOverride {
                    name: Some("wep".to_owned()),
                    ..ContainerOverride::default()
                },
                ContainerOverride {
                    name: Some("web".to_owned()),
                    environment: vec![
                        ("A=B".to_owned(), String::new()),
                        ("S".to_owned(), String::new()),
                    ],
                    image: Some("Bad Image".to_owned()),
                    memory: Some(5),
                    ..ContainerOverride::default()
                },
            ],
            ..Overrides::default()
        };
        assert_eq!(
            errors(&overrides),
            [
                "overrides.containers[0].name: the task has no container \"wep\": did you mean web?",
                "overrides.containers[1].environment[0].name: must be a name without '=' and NUL",
                "overrides.containers[1].environment[1].name: S is a secret of the container",
                "overrides.containers[1].image: has the character 'B', allowed are lower-case letters, \
                 digits, '.', '_', '-' and '/' in the repository",
                "overrides.containers[1].memory: must be at least 6, is 5",
                "containerDefinitions[1].memoryReservation: must be at most memory (5), is 64",
            ]
        );
    }

    #[test]
    fn the_result_is_held_to_the_rules_of_the_task() {
        let overrides = Overrides {
            containers: vec![ContainerOverride {
                memory: Some(1024),
                ..ContainerOverride::default()
            }],
            ..Overrides::default()
        };
        assert_eq!(
            errors(&overrides),
            ["containerDefinitions[1].memory: must be at most the task's memory (512), is 1024"]
        );
    }
}
