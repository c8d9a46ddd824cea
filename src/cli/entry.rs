//! From a parsed command line to an exit code: gathers settings, sets up log lines, calls the command.

use std::io;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

use super::check_config::check_config;
use super::completions;
use super::plan::plan;
use super::root::{Cli, Command};
use super::settings;
use crate::config::ecs_env::LOG_LEVEL;
use crate::config::sections::LogLevel;
use crate::config::{Config, Origin};
use crate::telemetry;

/// Threads that run tasks: the work is waiting, so two keep one slow poll from holding up the rest.
const WORKERS: usize = 2;

/// Threads for blocking calls (files, the kernel); more wait.
const BLOCKING_THREADS: usize = 16;

/// Does what the command line says, and gives the exit code.
///
/// # Errors
/// Why it could not be done, with its causes.
pub fn run(cli: &Cli) -> anyhow::Result<u8> {
    let mut out = io::stdout();
    match &cli.command {
        Command::Completions { shell } => {
            completions::completions(*shell, &mut out).context("print the completion script")?;
        }
        Command::Man => completions::man(&mut out).context("print the manual page")?,
        Command::CheckConfig => {
            let config = settings::load(&cli.global, []);
            telemetry::install(config.log)?;
            check_config(&config, cli.global.json, &mut out).context("print the settings")?;
            return Ok(u8::from(!config.problems.is_empty()));
        }
        Command::Plan(args) => {
            let config = quiet(settings::load(&cli.global, args.definition.settings()));
            telemetry::install(config.log)?;
            let planned = plan(args, &config, cli.global.json, &mut out);
            return runtime()?.block_on(planned);
        }
    }
    Ok(0)
}

fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .context("start the threads")
}

/// For commands in front of a person: log lines from `warn` on unless somebody set a level.
fn quiet(mut config: Config) -> Config {
    let level = config
        .effective
        .iter()
        .find(|setting| setting.setting == LOG_LEVEL.name);
    if level.is_some_and(|level| level.origin == Origin::Default) {
        config.log.level = LogLevel::Warn;
    }
    config
}
