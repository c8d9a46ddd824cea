//! What the agent shows beside the engine: its listeners, the watched directory and the settings in force.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::conditions::Conditions;
use crate::api::Surroundings;
use crate::api::observe::files::wire::{TaskFile, TaskFiles};
use crate::api::observe::probes::Check;
use crate::api::observe::settings::wire::{Setting, SettingProblem, SettingsAnswer};
use crate::config::Config;
use crate::domain::ids::UnixMillis;
use crate::ecs::{ConnectedStatus, StatusHandle};
use crate::standalone::status::{DirectoryStatus, FileState, FileStatus};

/// Who listens and who does not. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ListenerBoard(Arc<Mutex<BTreeMap<&'static str, Result<String, String>>>>);

impl ListenerBoard {
    /// The listener of that name has this address, or does not listen for this reason. Whether that is news.
    pub fn set(&self, name: &'static str, state: Result<String, String>) -> bool {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = board.insert(name, state.clone());
        before != Some(state)
    }

    fn checks(&self) -> Vec<Check> {
        let board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each = board.iter().map(|(name, state)| match state {
            Ok(address) => Check::pass(name, format!("listens on {address}")),
            Err(why) => Check::fail(name, format!("does not listen: {why}"))
                .hint("free the address; it is tried again every few seconds"),
        });
        each.collect()
    }
}

/// The watched directory and what was last seen in it.
pub struct Watched {
    /// Where it is.
    pub directory: PathBuf,
    /// What was last seen.
    pub status: watch::Receiver<Arc<DirectoryStatus>>,
}

/// Everything beside the engine.
pub struct Beside {
    /// Who listens.
    pub listeners: ListenerBoard,
    /// How the host's set-up is.
    pub conditions: Conditions,
    /// The watched directory, if there is one.
    pub watched: Option<Watched>,
    /// How connected mode is, if there is one.
    pub connected: Option<StatusHandle>,
}

impl Surroundings for Beside {
    fn checks(&self) -> Vec<Check> {
        let mut checks = self.listeners.checks();
        checks.extend(self.conditions.checks());
        checks.extend(self.watched.as_ref().map(directory));
        checks.extend(
            self.connected
                .as_ref()
                .map(|status| control_plane(&status.now())),
        );
        checks
    }

    fn control_plane_heard_at(&self) -> Option<UnixMillis> {
        self.connected.as_ref()?.now().heard_at
    }

    fn container_instance(&self) -> Option<String> {
        self.connected.as_ref()?.now().instance
    }

    fn task_files(&self) -> Option<TaskFiles> {
        let watched = self.watched.as_ref()?;
        let status = Arc::clone(&watched.status.borrow());
        let files = status.files.iter().map(|(name, file)| shown(name, file));
        Some(TaskFiles {
            directory: Some(watched.directory.display().to_string()),
            problem: status.problem.clone(),
            files: files.collect(),
        })
    }
}

/// Tasks run whether ECS is connected or not, so it only warns.
fn control_plane(status: &ConnectedStatus) -> Check {
    let name = "ecs";
    let cluster = &status.cluster;
    match (&status.problem, &status.instance) {
        (None, Some(instance)) if status.connected => Check::pass(
            name,
            format!("connected to cluster {cluster} as {instance}"),
        ),
        (Some(problem), _) => Check::warn(
            name,
            format!("not connected to cluster {cluster}: {problem}"),
        )
        .hint("it is tried again; running tasks are kept and reported later"),
        (None, _) => Check::warn(name, format!("connecting to cluster {cluster}")),
    }
}

/// A bad file or directory keeps nothing else from working, so it only warns.
fn directory(watched: &Watched) -> Check {
    const HINT: &str = "`berth why` or /v1/files show what is wrong with each file";
    let name = "task-files";
    let status = watched.status.borrow();
    if let Some(problem) = &status.problem {
        return Check::warn(
            name,
            format!("the directory cannot be looked at: {problem}"),
        );
    }
    let bad: Vec<&str> = status
        .files
        .iter()
        .filter(|(_, file)| !file.problems.is_empty())
        .map(|(name, _)| name.as_str())
        .collect();
    if bad.is_empty() {
        Check::pass(name, format!("{} files", status.files.len()))
    } else {
        Check::warn(
            name,
            format!("cannot be run as they are: {}", bad.join(", ")),
        )
        .hint(HINT)
    }
}

fn shown(name: &str, file: &FileStatus) -> TaskFile {
    TaskFile {
        name: name.to_owned(),
        state: file.state.as_str().to_owned(),
        task_arn: file.task.as_ref().map(ToString::to_string),
        until: match file.state {
            FileState::Waiting { until, .. } => Some(until.into()),
            FileState::Live
            | FileState::Replacing
            | FileState::Stopping
            | FileState::Starting
            | FileState::Completed
            | FileState::Failed
            | FileState::StoppedByUser
            | FileState::Rejected
            | FileState::Removing => None,
        },
        problems: file.problems.clone(),
        warnings: file.warnings.clone(),
    }
}

/// The settings in force. Secrets are masked where they are read.
pub fn settings_answer(config: &Config) -> SettingsAnswer {
    let settings = config.effective.iter().map(|setting| Setting {
        name: setting.setting.to_owned(),
        value: Some(setting.value.clone()).filter(|value| !value.is_empty()),
        origin: setting.origin.to_string(),
        about: setting.about.to_owned(),
    });
    let problems = config.problems.iter().map(|problem| SettingProblem {
        setting: problem.setting.clone(),
        origin: problem.origin.to_string(),
        message: problem.message.clone(),
    });
    SettingsAnswer {
        settings: settings.collect(),
        problems: problems.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::observe::probes::CheckStatus;
    use crate::config::{Origin, Strings};

    fn file(problems: &[&str]) -> FileStatus {
        FileStatus {
            state: FileState::Live,
            task: None,
            problems: problems.iter().map(|&line| line.to_owned()).collect(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_bad_file_and_a_listener_without_an_address_are_told() {
        let files = [("good", file(&[])), ("bad", file(&["family: is missing"]))];
        let files = files.map(|(name, file)| (name.to_owned(), file));
        let (_sender, status) = watch::channel(Arc::new(DirectoryStatus {
            problem: None,
            files: files.into(),
        }));
        let listeners = ListenerBoard::default();
        listeners.set("introspection", Err("the port is taken".to_owned()));
        let directory = PathBuf::from("/tasks");
        let beside = Beside {
            listeners,
            conditions: Conditions::default(),
            watched: Some(Watched { directory, status }),
            connected: None,
        };
        let checks = beside.checks();
        let found: Vec<_> = checks
            .iter()
            .map(|check| (check.name, check.status))
            .collect();
        let expected = [
            ("introspection", CheckStatus::Fail),
            ("task-files", CheckStatus::Warn),
        ];
        assert_eq!(found, expected);
        let shown = beside.task_files().expect("a directory");
        assert_eq!(shown.files[0].problems, ["family: is missing"]);
    }

    #[test]
    fn a_secret_setting_is_only_said_to_be_set() {
        let data = r#"{"r.test": {"username": "u", "password": "canary"}}"#;
        let texts = [
            ("ECS_ENGINE_AUTH_TYPE", "docker"),
            ("ECS_ENGINE_AUTH_DATA", data),
        ];
        let texts = texts.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let config = Config::read(&Strings::new().below(Origin::Environment, texts));
        let answer = settings_answer(&config);
        let auth = answer
            .settings
            .iter()
            .find(|setting| setting.name == "ECS_ENGINE_AUTH_DATA")
            .expect("a setting");
        assert_eq!(auth.origin, "environment");
        assert!(auth.value.is_some() && !format!("{answer:?}").contains("canary"));
    }
}
