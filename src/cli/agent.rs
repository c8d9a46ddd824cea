//! `berth agent`: the daemon.

use std::path::PathBuf;

use clap::{Args, ValueEnum as _};

use super::input::NetworkAs;
use crate::app::daemon;
use crate::config::Config;
use crate::domain::definition::NetworkMode;
use crate::domain::task::TaskOptions;

/// Arguments.
#[derive(Clone, Debug, Args)]
pub struct AgentArgs {
    /// Directory of task definition files: each is run as long as it is there
    #[arg(long, value_name = "DIR")]
    pub tasks_dir: Option<PathBuf>,
    /// When a task of that directory is started anew after its end: always, on-failure or never
    #[arg(long, value_name = "WHEN")]
    pub replace_stopped: Option<String>,
    /// Run awsvpc tasks of that directory as this network mode
    #[arg(long, value_name = "MODE")]
    pub network_as: Option<NetworkAs>,
    /// Run tasks of that directory that require Fargate or other compatibilities this host does not have
    #[arg(long)]
    pub ignore_compatibilities: bool,
}

impl AgentArgs {
    /// The command line that these were read from.
    pub fn words(&self) -> Vec<String> {
        let network_as = self
            .network_as
            .and_then(|mode| mode.to_possible_value())
            .map(|value| value.get_name().to_owned());
        let dir = self.tasks_dir.as_ref();
        let flags = [
            ("--tasks-dir", dir.map(|dir| dir.display().to_string())),
            ("--replace-stopped", self.replace_stopped.clone()),
            ("--network-as", network_as),
        ];
        let mut words: Vec<String> = flags
            .into_iter()
            .filter_map(|(flag, value)| Some([flag.to_owned(), value?]))
            .flatten()
            .collect();
        if self.ignore_compatibilities {
            words.push("--ignore-compatibilities".to_owned());
        }
        words
    }

    /// Settings that these flags give.
    pub fn settings(&self) -> Vec<(String, String)> {
        let dir = self
            .tasks_dir
            .iter()
            .map(|dir| ("BERTH_TASKS_DIR", dir.display().to_string()));
        let when = self
            .replace_stopped
            .iter()
            .map(|when| ("BERTH_REPLACE_STOPPED", when.clone()));
        dir.chain(when)
            .map(|(name, text)| (name.to_owned(), text))
            .collect()
    }
}

/// Runs until asked to end.
///
/// # Errors
/// If the data directory is another agent's, or a part of the agent ended by itself.
pub async fn agent(args: &AgentArgs, config: &Config) -> anyhow::Result<u8> {
    for problem in &config.problems {
        tracing::warn!(
            event = "setting-ignored",
            setting = problem.setting,
            "{}: {}",
            problem.setting,
            problem.message
        );
    }
    let network_as = args.network_as.map(NetworkMode::from);
    let ignore_compatibilities = args.ignore_compatibilities;
    daemon::run(
        config,
        TaskOptions {
            network_as,
            ignore_compatibilities,
        },
    )
    .await?;
    Ok(0)
}
