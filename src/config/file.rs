//! The settings file: the JSON that ECS agents read, or `KEY=value` lines, turned into setting texts.
//!
//! **Invariants.** A file that cannot be read gives no texts and one line that says why; a key of it that cannot be
//! read costs that key only, and one that has no effect here is named. JSON keys match without regard to case, durations are nanoseconds and pull behaviours
//! numbers there, as the reference agent has it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use strsim::damerau_levenshtein;

use super::ecs_env::{
    ALL, CLUSTER, Kind, PROPAGATE_TAGS, PULL_BEHAVIOR, Setting, TASK_SERVER_RATE,
};
use super::syntax::show_duration;

/// What is named in place of a setting where a whole file gives none, since it has no form that is known.
pub const WHOLE_FILE: &str = "file";

/// Longest settings file, in bytes: read at start without leaving the thread.
pub(super) const MAX_FILE_BYTES: usize = 64 * 1024;

/// The older key of the cluster, which counts where the newer is not there (reference agent).
pub(super) const OLD_CLUSTER: &str = "ClusterArn";

/// The two halves of one setting, which are keys of their own here: how often a task may ask.
const RATE_KEYS: [&str; 2] = ["TaskMetadataSteadyStateRate", "TaskMetadataBurstRate"];

/// Texts by setting name, and what could not be taken: name of the key and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FileTexts {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) refused: Vec<(String, String)>,
}

/// Reads the content of a settings file.
pub(super) fn read(content: &str) -> FileTexts {
    let content = content.trim_start_matches('\u{feff}').trim();
    if content.is_empty() {
        FileTexts::default()
    } else if content.starts_with('{') {
        read_json(content)
    } else {
        read_lines(content)
    }
}

fn read_lines(content: &str) -> FileTexts {
    let mut file = FileTexts::default();
    for (number, line) in (1_usize..).zip(content.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=') {
            Some((name, _)) if name.trim().is_empty() => file.refused.push((
                format!("line {number}"),
                "has no name before the =".to_owned(),
            )),
            Some((name, text)) => {
                let text = text.trim();
                let quoted = ['"', '\''].into_iter().find_map(|quote| {
                    text.strip_prefix(quote)
                        .and_then(|text| text.strip_suffix(quote))
                });
                file.texts
                    .insert(name.trim().to_owned(), quoted.unwrap_or(text).to_owned());
            }
            None => file
                .refused
                .push((format!("line {number}"), "is not KEY=value".to_owned())),
        }
    }
    file
}

fn read_json(content: &str) -> FileTexts {
    let mut file = FileTexts::default();
    let members = match serde_json::from_str::<Value>(content) {
        Ok(Value::Object(members)) => members,
        Ok(_) => {
            file.refused
                .push((WHOLE_FILE.to_owned(), "is not a JSON object".to_owned()));
            return file;
        }
        Err(error) => {
            file.refused
                .push((WHOLE_FILE.to_owned(), error.to_string()));
            return file;
        }
    };
    let mut rates: [Option<String>; 2] = [None, None];
    for (key, value) in members {
        if key.eq_ignore_ascii_case(OLD_CLUSTER)
            && let Value::String(arn) = &value
        {
            let name = CLUSTER.name.to_owned();
            file.texts.entry(name).or_insert_with(|| arn.clone());
            continue;
        }
        let mut halves = RATE_KEYS.iter().zip(&mut rates);
        if let Some((_, half)) = halves.find(|(name, _)| name.eq_ignore_ascii_case(&key))
            && let Value::Number(number) = &value
        {
            *half = Some(number.to_string());
            continue;
        }
        let setting = ALL.iter().find(|setting| {
            setting.name == key
                || setting
                    .json_key
                    .is_some_and(|known| known.eq_ignore_ascii_case(&key))
        });
        let Some(setting) = setting else {
            if !value.is_null() {
                let message = without_effect(&key);
                file.refused.push((key, message));
            }
            continue;
        };
        match text_of(setting, &value) {
            // As in the environment: an empty text gives nothing.
            Some(text) if text.trim().is_empty() => {}
            Some(text) => {
                file.texts.insert(setting.name.to_owned(), text);
            }
            // Null means not given.
            None if value.is_null() => {}
            None => {
                let message = if matches!(setting.kind, Kind::Secret) {
                    "does not take that value".to_owned()
                } else {
                    format!("does not take {value}")
                };
                file.refused.push((setting.name.to_owned(), message));
            }
        }
    }
    if rates.iter().any(Option::is_some) {
        let [steady, burst] = rates.map(|half| half.unwrap_or_else(|| "0".to_owned()));
        let name = TASK_SERVER_RATE.name.to_owned();
        file.texts.insert(name, format!("{steady},{burst}"));
    }
    file
}

fn without_effect(key: &str) -> String {
    match nearest_key(key) {
        Some(known) => format!("is a key without effect here; did you mean {known}?"),
        None => "is a key without effect here".to_owned(),
    }
}

/// The key that a misspelt one most likely means: at most two edits away.
fn nearest_key(key: &str) -> Option<&'static str> {
    const MOST_EDITS: usize = 2;
    let key = key.to_ascii_lowercase();
    let known = ALL.iter().filter_map(|setting| setting.json_key);
    known
        .map(|known| {
            (
                damerau_levenshtein(&key, &known.to_ascii_lowercase()),
                known,
            )
        })
        .min()
        .filter(|(edits, _)| *edits <= MOST_EDITS)
        .map(|(_, known)| known)
}

/// The text that the environment would have for that JSON value.
fn text_of(setting: &Setting, value: &Value) -> Option<String> {
    match (&setting.kind, value) {
        (_, Value::String(text)) => Some(text.clone()),
        (Kind::Truth, Value::Bool(truth)) => Some(truth.to_string()),
        (Kind::Truth | Kind::Number(_), Value::Number(number)) => Some(number.to_string()),
        (Kind::Duration(_), Value::Number(nanos)) => {
            Some(show_duration(Duration::from_nanos(nanos.as_u64()?)))
        }
        (Kind::Word(words), Value::Number(index))
            if [PULL_BEHAVIOR.name, PROPAGATE_TAGS.name].contains(&setting.name) =>
        {
            let index = usize::try_from(index.as_u64()?).ok()?;
            words.get(index).map(|word| (*word).to_owned())
        }
        (Kind::Ports | Kind::List, Value::Array(_))
        | (Kind::Attributes | Kind::Secret, Value::Object(_)) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(content: &str) -> Vec<(String, String)> {
        read(content).texts.into_iter().collect()
    }

    fn pair(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn json_values_become_environment_texts() {
        let content = r#"{
            "cluster": "edge", "DockerStopTimeout": 45000000000, "ImagePullBehavior": 3,
            "ReservedPorts": [22], "PrivilegedDisabled": true, "InstanceAttributes": {"rack": "7"},
            "ReservedMemory": 64, "Checkpoint": true, "TaskCPUMemLimit": null
        }"#;
        assert_eq!(
            texts(content),
            [
                pair("ECS_CLUSTER", "edge"),
                pair("ECS_CONTAINER_STOP_TIMEOUT", "45s"),
                pair("ECS_DISABLE_PRIVILEGED", "true"),
                pair("ECS_IMAGE_PULL_BEHAVIOR", "prefer-cached"),
                pair("ECS_INSTANCE_ATTRIBUTES", r#"{"rack":"7"}"#),
                pair("ECS_RESERVED_MEMORY", "64"),
                pair("ECS_RESERVED_PORTS", "[22]"),
            ]
        );
        let without_effect = pair("Checkpoint", "is a key without effect here");
        assert_eq!(read(content).refused, [without_effect]);
    }

    #[test]
    fn older_forms_are_read() {
        let content = r#"{"ClusterArn": "old", "ContainerInstancePropagateTagsFrom": 1}"#;
        let tags = pair("ECS_CONTAINER_INSTANCE_PROPAGATE_TAGS_FROM", "ec2_instance");
        assert_eq!(texts(content), [pair("ECS_CLUSTER", "old"), tags]);
        assert_eq!(read(content).refused, []);
        for content in [
            r#"{"ClusterArn": "old", "Cluster": "new"}"#,
            r#"{"cluster": "new", "clusterArn": "old"}"#,
        ] {
            assert_eq!(texts(content), [pair("ECS_CLUSTER", "new")]);
        }
        let empty = r#"{"ClusterArn": "old", "Cluster": ""}"#;
        assert_eq!(texts(empty), [pair("ECS_CLUSTER", "old")]);
    }

    #[test]
    fn the_halves_of_a_rate_are_one_setting() {
        for (content, expected) in [
            (
                r#"{"TaskMetadataSteadyStateRate": 5, "taskMetadataBurstRate": 9}"#,
                "5,9",
            ),
            (r#"{"TaskMetadataBurstRate": 9}"#, "0,9"),
        ] {
            assert_eq!(
                texts(content),
                [pair("ECS_TASK_METADATA_RPS_LIMIT", expected)]
            );
            assert_eq!(read(content).refused, []);
        }
    }

    #[test]
    fn a_misspelt_key_finds_its_neighbour() {
        let file = read(r#"{"Clusters": "edge", "TaskENIEnabled": true, "NoIID": null}"#);
        let expected = [
            pair(
                "Clusters",
                "is a key without effect here; did you mean Cluster?",
            ),
            pair("TaskENIEnabled", "is a key without effect here"),
        ];
        assert_eq!(file.refused, expected);
    }

    #[test]
    fn a_secret_of_the_wrong_type_is_not_shown() {
        let file = read(r#"{"EngineAuthData": ["marked"]}"#);
        let expected = pair("ECS_ENGINE_AUTH_DATA", "does not take that value");
        assert_eq!(file.refused, [expected]);
    }

    #[test]
    fn a_key_of_the_wrong_type_costs_that_key_only() {
        let file = read(r#"{"Cluster": 5, "ReservedMemory": 64}"#);
        assert_eq!(file.refused, [pair("ECS_CLUSTER", "does not take 5")]);
        assert_eq!(file.texts.len(), 1);
    }

    #[test]
    fn a_file_that_is_no_json_gives_nothing_and_says_why() {
        let file = read(r#"{"Cluster": "#);
        assert!(file.texts.is_empty());
        assert_eq!(file.refused.len(), 1);
    }

    #[test]
    fn lines_are_read_as_an_environment_file() {
        let content = "# comment\nECS_CLUSTER=edge\n\nECS_LOGLEVEL = \"debug\"\nnonsense\n";
        assert_eq!(
            texts(content),
            [pair("ECS_CLUSTER", "edge"), pair("ECS_LOGLEVEL", "debug")]
        );
        assert_eq!(read(content).refused, [pair("line 5", "is not KEY=value")]);
        let file = read("=x\n ECS_CLUSTER=edge\n  = y");
        let nameless = "has no name before the =";
        assert_eq!(
            file.refused,
            [pair("line 1", nameless), pair("line 3", nameless)]
        );
        assert_eq!(file.texts.len(), 1);
    }
}
