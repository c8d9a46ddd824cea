//! The settings file: the JSON that ECS agents read, or `KEY=value` lines, turned into setting texts.
//!
//! **Invariants.** A file that cannot be read gives no texts and one line that says why; a key of it that cannot be
//! read costs that key only. JSON keys match without regard to case, durations are nanoseconds and pull behaviours
//! numbers there, as the reference agent has it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::ecs_env::{ALL, Kind, Setting};
use super::syntax::show_duration;

/// Longest settings file, in bytes: read at start without leaving the thread.
pub(super) const MAX_FILE_BYTES: usize = 64 * 1024;

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
                .push(("file".to_owned(), "is not a JSON object".to_owned()));
            return file;
        }
        Err(error) => {
            file.refused.push(("file".to_owned(), error.to_string()));
            return file;
        }
    };
    for (key, value) in members {
        let setting = ALL.iter().find(|setting| {
            setting.name == key
                || setting
                    .json_key
                    .is_some_and(|known| known.eq_ignore_ascii_case(&key))
        });
        // Other keys belong to other versions of ECS agents; the reference agent ignores them too.
        let Some(setting) = setting else { continue };
        match text_of(setting, &value) {
            Some(text) => {
                file.texts.insert(setting.name.to_owned(), text);
            }
            // Null means not given.
            None if value.is_null() => {}
            None => file
                .refused
                .push((setting.name.to_owned(), format!("does not take {value}"))),
        }
    }
    file
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
            if setting.name == super::ecs_env::PULL_BEHAVIOR.name =>
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
        assert_eq!(read(content).refused, []);
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
