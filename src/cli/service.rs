//! `berth service`: the agent as a service of Windows.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use super::agent::AgentArgs;
use super::exit;
use super::output::{Format, Output};
use crate::platform::service::{self, Installation, NAME, Start};

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
    directories: &[PathBuf],
    out: &mut Output,
) -> anyhow::Result<u8> {
    match action {
        ServiceAction::Install(args) => {
            for directory in directories {
                std::fs::create_dir_all(directory)
                    .with_context(|| format!("make the directory {}", directory.display()))?;
            }
            for step in service::install(&installation(args)?)? {
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

fn installation(args: &InstallArgs) -> anyhow::Result<Installation> {
    let program = std::env::current_exe().context("find this program")?;
    let words = ["service", "run"].map(str::to_owned).into_iter();
    Ok(Installation {
        program,
        args: words.chain(args.agent.words()).collect(),
        start: args.start.into(),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::root::{Cli, Command};

    #[test]
    fn the_service_has_the_flags_that_it_was_installed_with() {
        let line = "berth service install --start manual --tasks-dir /t --ignore-compatibilities";
        let cli = Cli::try_parse_from(line.split(' ')).expect("parsed");
        let Command::Service(ServiceArgs {
            action: ServiceAction::Install(args),
        }) = cli.command
        else {
            panic!("an installation");
        };
        let installation = installation(&args).expect("an installation");
        assert_eq!(installation.start, Start::Manual);
        assert_eq!(
            installation.args.join(" "),
            "service run --tasks-dir /t --ignore-compatibilities"
        );
        let again = std::iter::once("berth".to_owned()).chain(installation.args);
        let Command::Service(ServiceArgs {
            action: ServiceAction::Run(agent),
        }) = Cli::try_parse_from(again).expect("parsed").command
        else {
            panic!("what the manager starts");
        };
        assert!(agent.ignore_compatibilities);
    }
}
