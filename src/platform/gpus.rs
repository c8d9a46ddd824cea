//! The list of GPUs of this host: a file that the set-up of ECS instances (ecs-init) writes when the host starts.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::domain::host::Gpus;

/// Longest list that is read, in bytes: an id has 40, and no host has a thousand.
const MAX_BYTES: u64 = 64 * 1024;

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum GpuListError {
    /// The file is not there, or not for the agent.
    #[error("the list of GPUs {} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// It is no JSON.
    #[error("the list of GPUs {} is no JSON", .0.display())]
    NoJson(PathBuf, #[source] serde_json::Error),
    /// A member is none that is known.
    #[error("the list of GPUs {} is not as ecs-init writes it: {}", .0.display(), .1)]
    Strange(PathBuf, &'static str),
}

/// The GPUs that the file lists.
///
/// # Errors
/// [`GpuListError`]: nothing of a bad list counts.
pub fn listed_gpus(path: &Path) -> Result<Gpus, GpuListError> {
    let unreadable = |error| GpuListError::Unreadable(path.to_owned(), error);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let list = serde_json::from_slice(&bytes)
        .map_err(|error| GpuListError::NoJson(path.to_owned(), error))?;
    read(list).map_err(|why| GpuListError::Strange(path.to_owned(), why))
}

/// What is not there is empty, as ecs-init leaves it out.
fn read(list: Value) -> Result<Gpus, &'static str> {
    let Value::Object(mut list) = list else {
        return Err("it must be an object");
    };
    let driver_version = match take(&mut list, "DriverVersion") {
        None => None,
        Some(Value::String(version)) => Some(version).filter(|version| !version.is_empty()),
        Some(_) => return Err("DriverVersion must be a text"),
    };
    let ids = match take(&mut list, "GPUIDs") {
        None => Vec::new(),
        Some(Value::Array(ids)) => ids,
        Some(_) => return Err("GPUIDs must be a list"),
    };
    let id = |value: Value| {
        let id = value.as_str().filter(|id| !id.is_empty());
        id.map(str::to_owned).ok_or("GPUIDs must be a list of ids")
    };
    Ok(Gpus {
        driver_version,
        ids: ids.into_iter().map(id).collect::<Result<_, _>>()?,
    })
}

fn take(list: &mut Map<String, Value>, name: &str) -> Option<Value> {
    list.remove(name).filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorChain;

    fn of_file(content: &str) -> Result<Gpus, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gpus.json");
        std::fs::write(&path, content).unwrap();
        let shown = path.display().to_string();
        listed_gpus(&path).map_err(|error| ErrorChain(&error).to_string().replace(&shown, "FILE"))
    }

    #[test]
    fn a_list_has_a_driver_and_ids() {
        let text = r#"{"DriverVersion": "535.54.03", "GPUIDs": ["GPU-b", "GPU-a", "GPU-b"]}"#;
        let gpus = of_file(text).unwrap();
        assert_eq!(gpus.driver_version.as_deref(), Some("535.54.03"));
        assert_eq!(gpus.ids, ["GPU-a", "GPU-b"].map(str::to_owned).into());
        for empty in [
            "{}",
            r#"{"DriverVersion": "", "GPUIDs": null, "Other": 1}"#,
            r#"{"GPUIDs": []}"#,
        ] {
            assert_eq!(of_file(empty), Ok(Gpus::default()), "{empty}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_list_is_said_with_its_name() {
        for (text, words) in [
            ("[]", "it must be an object"),
            (r#"{"DriverVersion": 535}"#, "DriverVersion must be a text"),
            (r#"{"GPUIDs": "GPU-a"}"#, "GPUIDs must be a list"),
            (
                r#"{"GPUIDs": ["GPU-a", ""]}"#,
                "GPUIDs must be a list of ids",
            ),
            (r#"{"GPUIDs": [0]}"#, "GPUIDs must be a list of ids"),
        ] {
            let expected = format!("the list of GPUs FILE is not as ecs-init writes it: {words}");
            assert_eq!(of_file(text), Err(expected));
        }
        let no_json = of_file("{").unwrap_err();
        assert!(
            no_json.starts_with("the list of GPUs FILE is no JSON: "),
            "{no_json}"
        );
        let missing = listed_gpus(Path::new("/nonexistent/gpus.json")).unwrap_err();
        let words = ErrorChain(&missing).to_string();
        assert!(
            words.starts_with("the list of GPUs /nonexistent/gpus.json cannot be read: "),
            "{words}"
        );
    }
}
