//! Values of a task, of its definition and from elsewhere, that no message repeats: Docker's words quote what it was
//! given, and from there they would go into reasons, timelines, logs and support archives.
//!
//! What people need to find a fault stays: names, commands, images, paths, addresses and ports.

use super::definition::{ContainerDefinition, TaskDefinition};
use super::volume::VolumeSource;

/// Stands for a value.
const HIDDEN: &str = "(hidden)";

/// Shortest value that is hidden because of its name: a shorter one would be found all over the text.
const SHORTEST_NAMED: usize = 4;

/// Shortest value that is hidden although its name says nothing: most shorter ones are plain words, ports and flags.
const SHORTEST_PLAIN: usize = 8;

/// Parts of names that mean a secret, in lower case.
const SECRET_NAMES: [&str; 8] = [
    "pass", "pwd", "secret", "token", "key", "cred", "auth", "sign",
];

/// The text without the definition's confidential values, and without `secrets`, which its containers were given beside
/// them.
pub fn conceal<'s>(
    definition: &'s TaskDefinition,
    secrets: impl IntoIterator<Item = &'s str>,
    text: &str,
) -> String {
    let secrets = secrets.into_iter();
    let mut values: Vec<&str> = secrets
        .filter(|value| value.len() >= SHORTEST_NAMED)
        .collect();
    for container in &definition.containers {
        collect(container, &mut values);
    }
    for volume in &definition.volumes {
        if let VolumeSource::Docker(volume) = &volume.source {
            for (name, value) in &volume.driver_opts {
                values.extend(named(name, value));
                // Options of a mount: `username=u,password=p`.
                let options = value.split(',').filter_map(|item| item.split_once('='));
                values.extend(options.filter_map(|(name, value)| named(name, value)));
            }
        }
    }
    // One value may be part of another.
    values.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
    let mut concealed = text.to_owned();
    for value in values {
        for form in [value, &quoted(value)] {
            if concealed.contains(form) {
                concealed = concealed.replace(form, HIDDEN);
            }
        }
    }
    concealed
}

/// As Docker has it between quotation marks.
fn quoted(value: &str) -> String {
    value
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
        .replace('\t', r"\t")
}

fn collect<'d>(container: &'d ContainerDefinition, values: &mut Vec<&'d str>) {
    let shown = |value: &str| container.image.to_string().contains(value);
    let variables = container.environment.iter().chain(&container.docker_labels);
    values.extend(variables.filter_map(|(name, value)| {
        let plain = value.len() >= SHORTEST_PLAIN && !is_address(value) && !shown(value);
        named(name, value).or(plain.then_some(value.as_str()))
    }));
    if let Some(log) = &container.log_configuration {
        let options = log.options.iter();
        values.extend(options.filter_map(|(name, value)| named(name, value)));
    }
}

/// The value, if its name says that it is a secret.
fn named<'d>(name: &str, value: &'d str) -> Option<&'d str> {
    let name = name.to_ascii_lowercase();
    let secret = SECRET_NAMES.iter().any(|part| name.contains(part));
    (secret && value.len() >= SHORTEST_NAMED).then_some(value)
}

/// Where something is: of no use to others, and what a fault of the network or of a mount is about.
fn is_address(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:[]".contains(c);
    let place = value.starts_with('/') || value.contains(':') || value.contains('.');
    place && value.chars().all(plain) && !value.contains("//")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::sample;
    use super::super::volume::{DockerVolume, Volume, VolumeScope};
    use super::*;
    use crate::domain::ids::VolumeName;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        entries.iter().map(owned).collect()
    }

    fn definition() -> TaskDefinition {
        let mut definition = sample::definition(&["app"]);
        let app = definition.containers.first_mut().unwrap();
        app.environment = map(&[
            ("DB_PASSWORD", "hunter2"),
            ("DSN", "postgres://u:p4ss@db/x"),
            ("PORT", "8080"),
            ("DATA", "/var/lib/data"),
            ("KEY", "no"),
        ]);
        app.docker_labels = map(&[("proxy", "admin:$apr1$abc")]);
        definition.volumes = vec![Volume {
            name: VolumeName::parse("share").unwrap(),
            source: VolumeSource::Docker(DockerVolume {
                scope: VolumeScope::Task,
                driver: None,
                driver_opts: map(&[
                    ("device", "//nas/share"),
                    ("o", "addr=10.0.0.1,username=u,password=cifspw"),
                    ("secret", "of-the-plugin"),
                ]),
                labels: BTreeMap::new(),
            }),
        }];
        definition
    }

    #[test]
    fn confidential_values_are_hidden_and_the_rest_is_not() {
        let hides = |text: &str| conceal(&definition(), [], text);
        for (text, expected) in [
            (
                "mount //nas/share: data: addr=10.0.0.1,username=u,password=cifspw: refused",
                "mount //nas/share: data: addr=10.0.0.1,username=u,password=(hidden): refused",
            ),
            ("bad option of-the-plugin", "bad option (hidden)"),
            ("no hunter2 here", "no (hidden) here"),
            ("postgres://u:p4ss@db/x", "(hidden)"),
            ("label admin:$apr1$abc", "label (hidden)"),
            (
                "Bind for 0.0.0.0:8080 failed: port is already allocated",
                "Bind for 0.0.0.0:8080 failed: port is already allocated",
            ),
            ("no such file: /var/lib/data", "no such file: /var/lib/data"),
            ("nothing is known", "nothing is known"),
        ] {
            assert_eq!(hides(text), expected);
        }
    }

    #[test]
    fn a_value_that_is_part_of_the_image_is_shown() {
        let mut definition = sample::definition(&["app"]);
        let app = definition.containers.first_mut().unwrap();
        let image = app.image.to_string();
        app.environment = map(&[("IMAGE", &image)]);
        let text = format!("no such image: {image}");
        assert_eq!(conceal(&definition, [], &text), text);
    }

    #[test]
    fn what_a_container_was_given_beside_its_definition_is_hidden_too() {
        let definition = sample::definition(&["app"]);
        let secrets = ["fetched", "a \"b\"\nc", "abc"];
        for (text, expected) in [
            ("no driver takes fetched", "no driver takes (hidden)"),
            (
                r#"invalid value "a \"b\"\nc""#,
                r#"invalid value "(hidden)""#,
            ),
            (
                "abc is too short to be looked for",
                "abc is too short to be looked for",
            ),
        ] {
            assert_eq!(conceal(&definition, secrets, text), expected);
        }
    }
}
