//! `berth service`: the agent as a service of Windows.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use super::agent::AgentArgs;
use super::exit;
use super::output::{Format, Output};
use super::root::Global;
use crate::app::place::ServiceDirectories;
use crate::platform::service::{self, Installation, NAME, Start};
use crate::platform::{closed_directory, own_directory};

/// Install, start, stop or show the agent as a service of Windows.
#[derive(Args, Clone, Debug)]
pub struct ServiceArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: ServiceAction,
}

/// What to do with the service.
#[derive(Subcommand, Clone, Debug)]
pub enum ServiceAction {
    /// Install the service, or change one that is there. Its settings are the machine's environment variables
    Install(InstallArgs),
    /// Stop the service and remove it; its state and its log stay
    Uninstall,
    /// Start the service
    Start,
    /// Stop the service; containers are left running
    Stop,
    /// Say where the service is
    Status,
    /// What the service manager starts
    #[command(hide = true)]
    Run(AgentArgs),
}

/// Arguments of `install`.
#[derive(Args, Clone, Debug)]
pub struct InstallArgs {
    /// When the service is started
    #[arg(long, value_name = "WHEN", default_value = "delayed")]
    pub start: StartWhen,
    /// Of the agent.
    #[command(flatten)]
    pub agent: AgentArgs,
}

/// When the service is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StartWhen {
    /// With the host, after the services that others wait for.
    Delayed,
    /// When somebody asks.
    Manual,
    /// Not at all.
    Disabled,
}

impl From<StartWhen> for Start {
    fn from(when: StartWhen) -> Self {
        match when {
            StartWhen::Delayed => Self::Delayed,
            StartWhen::Manual => Self::Manual,
            StartWhen::Disabled => Self::Disabled,
        }
    }
}

/// Does it, and says where the service is then. `Run` is not done here: it becomes the service.
///
/// # Errors
/// If the service manager says no, or this system has none.
pub fn run(
    action: &ServiceAction,
    global: &Global,
    directories: &ServiceDirectories,
    out: &mut Output,
) -> anyhow::Result<u8> {
    match action {
        ServiceAction::Install(args) => {
            make(directories)?;
            for step in service::install(&installation(global, args)?)? {
                tracing::warn!(
                    event = "service-manager-limited",
                    step,
                    "the service manager of this system cannot {step}"
                );
            }
        }
        ServiceAction::Uninstall => service::uninstall()?,
        ServiceAction::Start => service::start()?,
        ServiceAction::Stop => service::stop()?,
        ServiceAction::Status | ServiceAction::Run(_) => {}
    }
    let state = service::status()?.unwrap_or("not installed");
    if out.format() == Format::Json {
        out.json(&serde_json::json!({ "service": NAME, "state": state }))?;
    } else {
        out.line(&format!("the service {NAME} is {state}"))?;
    }
    Ok(exit::OK)
}

/// Makes them for the service alone: whoever may write there has the host.
fn make(directories: &ServiceDirectories) -> anyhow::Result<()> {
    let words =
        |step: &str, directory: &Path| format!("{step} the directory {}", directory.display());
    for directory in &directories.own {
        closed_directory(directory).with_context(|| words("make and close", directory))?;
    }
    if let Some(directory) = &directories.tasks {
        // One that is there is not closed: who may write there is the operator's to say.
        own_directory(directory).with_context(|| words("make or use", directory))?;
    }
    Ok(())
}

fn installation(global: &Global, args: &InstallArgs) -> anyhow::Result<Installation> {
    let program = std::env::current_exe().context("find this program")?;
    let agent = AgentArgs {
        tasks_dir: whole(args.agent.tasks_dir.as_ref())?,
        ..args.agent.clone()
    };
    let words = ["service", "run"].map(str::to_owned).into_iter();
    let words = words.chain(global_words(global)?);
    Ok(Installation {
        program,
        args: words.chain(agent.words()).collect(),
        start: args.start.into(),
    })
}

/// The flags of every command that say how the agent runs.
fn global_words(global: &Global) -> anyhow::Result<Vec<String>> {
    let path = |path: Option<&PathBuf>| {
        let whole = whole(path)?;
        anyhow::Ok(whole.map(|path| path.display().to_string()))
    };
    let flags = [
        ("--data-dir", path(global.data_dir.as_ref())?),
        ("--config", path(global.config.as_ref())?),
        ("--log-level", global.log_level.clone()),
    ];
    let given = flags
        .into_iter()
        .filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
    Ok(given.flatten().collect())
}

/// The path from the root on: a service is started elsewhere than its installation was.
fn whole(path: Option<&PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    path.map(|path| {
        let whole = std::path::absolute(path);
        whole.with_context(|| format!("find the directory of {}", path.display()))
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::root::{Cli, Command};

    /// What the manager is to start, of a command line; and what it is when it is read again.
    fn installed(line: &str) -> (Installation, Global, AgentArgs) {
        let cli = Cli::try_parse_from(line.split(' ')).expect("parsed");
        let Command::Service(ServiceArgs {
            action: ServiceAction::Install(args),
        }) = cli.command
        else {
            panic!("an installation");
        };
        let installation = installation(&cli.global, &args).expect("an installation");
        let again = std::iter::once("berth".to_owned()).chain(installation.args.clone());
        let again = Cli::try_parse_from(again).expect("parsed");
        let Command::Service(ServiceArgs {
            action: ServiceAction::Run(agent),
        }) = again.command
        else {
            panic!("what the manager starts");
        };
        (installation, again.global, agent)
    }

    #[test]
    fn the_service_has_the_flags_that_it_was_installed_with() {
        let (installation, _, agent) =
            installed("berth service install --start manual --ignore-compatibilities");
        assert_eq!(installation.start, Start::Manual);
        assert_eq!(
            installation.args.join(" "),
            "service run --ignore-compatibilities"
        );
        assert!(agent.ignore_compatibilities);
        let (_, global, _) =
            installed("berth --data-dir data --config c.json service install --log-level debug");
        let here = std::env::current_dir().expect("a directory");
        assert_eq!(global.data_dir, Some(here.join("data")));
        assert_eq!(global.config, Some(here.join("c.json")));
        assert_eq!(global.log_level.as_deref(), Some("debug"));
    }

    /// The service manager starts it in a directory of the system.
    #[test]
    fn a_relative_path_begins_where_the_service_was_installed() {
        let (installation, _, agent) = installed("berth service install --tasks-dir tasks");
        let whole = std::env::current_dir().expect("a directory").join("tasks");
        let shown = whole.display().to_string();
        assert_eq!(
            installation.args,
            ["service", "run", "--tasks-dir", &*shown]
        );
        assert_eq!(agent.tasks_dir, Some(whole));
    }
}
