//! The root of the command line: global flags and the list of commands.

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand};

use super::agent::AgentArgs;
use super::bundle::BundleArgs;
use super::completions::Shell;
use super::doctor::DoctorArgs;
use super::drain::DrainArgs;
use super::events::EventsArgs;
use super::exit;
use super::host::HostArgs;
use super::logs::LogsArgs;
use super::openapi::Document;
use super::plan::PlanArgs;
use super::ps::PsArgs;
use super::rm::RmArgs;
use super::run::command::RunArgs;
use super::service::ServiceArgs;
use super::stop::StopArgs;
use super::top::TopArgs;
use super::why::WhyArgs;

/// `berth`.
#[derive(Debug, Parser)]
#[command(name = "berth", version, about, long_about = LONG_ABOUT, after_long_help = exit::HELP, max_term_width = 100)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The command line of this process. Wrong arguments, `--help` and `--version` print and end the process.
    pub fn of_process() -> Self {
        Self::parse()
    }
}

const LONG_ABOUT: &str = "Runs Amazon ECS task definitions on Docker.\n\n\
    Settings come from flags, then the environment (the ECS_* names of ECS agents), then /etc/ecs/ecs.config and the \
    other files of ECS agents, then defaults: `berth check-config` shows them all.";

/// Heading that keeps them apart from a command's own.
const GLOBAL: &str = "Options of every command";

/// Flags of every command.
#[expect(clippy::doc_markdown, reason = "these comments are printed as help")]
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Directory of the agent's state [setting ECS_DATADIR; default: the system's place for it]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Settings file instead of the host's: JSON as ECS agents read it, or KEY=value lines
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// Least level of log lines: debug, info, warn, error or none [setting ECS_LOGLEVEL]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// When to use colours
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one task definition in the foreground, on an engine of its own; a run that was killed is cleaned up by the
    /// next start of berth
    Run(Box<RunArgs>),
    /// Run the agent: tasks come from its admin API and from a watched directory
    Agent(AgentArgs),
    /// Run the agent and keep its sockets: it is started again when it ends, and on SIGHUP replaced by the version that
    /// lies at the program's path now, without a request of a container being lost
    Supervise(AgentArgs),
    /// Install, start, stop or show the agent as a service of Windows
    Service(ServiceArgs),
    /// List the agent's tasks
    Ps(PsArgs),
    /// Say why a task is not where it should be, or that it is
    Why(WhyArgs),
    /// Show what has happened, and follow it
    Events(EventsArgs),
    /// Show tasks and what the host has left, live
    Top(TopArgs),
    /// Say what is wrong with this host, and what to do
    Doctor(DoctorArgs),
    /// Set up, show or take away what the agent changes on this host
    Host(HostArgs),
    /// Write a support archive without secrets; works with Docker and the agent dead
    Bundle(BundleArgs),
    /// Show the output of a task's containers
    Logs(LogsArgs),
    /// Stop a task
    Stop(StopArgs),
    /// Stop a task and remove everything of it
    Rm(RmArgs),
    /// Start no new tasks on this instance, or let them start again
    Drain(DrainArgs),
    /// Show what a task definition would do on this host: every call, and every field that is changed, ignored or
    /// refused
    Plan(Box<PlanArgs>),
    /// Show every setting, its value, where it came from, and what is wrong
    CheckConfig,
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
    /// Print the document of a listener
    #[command(name = "openapi", hide = true)]
    OpenApi {
        /// Which listener
        #[arg(default_value = "admin")]
        document: Document,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_may_follow_the_command() {
        let args = [
            "berth",
            "check-config",
            "--json",
            "--data-dir",
            "/x",
            "--color",
            "never",
        ];
        let cli = Cli::try_parse_from(args).expect("parsed");
        assert!(cli.global.json);
        assert_eq!(cli.global.data_dir, Some(PathBuf::from("/x")));
        assert_eq!(cli.global.color, ColorChoice::Never);
    }
}
