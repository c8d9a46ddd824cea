//! From a parsed command line to an exit code: gathers settings, sets up log lines, calls the command.

use std::io::{self, Write};

use anyhow::Context;

use super::check_config::check_config;
use super::completions;
use super::root::{Cli, Command};
use super::settings;
use crate::telemetry;

/// Does what the command line says, and gives the exit code.
///
/// # Errors
/// Why it could not be done, with its causes.
pub fn run(cli: &Cli) -> anyhow::Result<u8> {
    let out: &mut dyn Write = &mut io::stdout().lock();
    match &cli.command {
        Command::Completions { shell } => {
            completions::completions(*shell, out).context("print the completion script")?;
        }
        Command::Man => completions::man(out).context("print the manual page")?,
        Command::CheckConfig => {
            let config = settings::load(&cli.global, []);
            telemetry::install(config.log)?;
            check_config(&config, cli.global.json, out).context("print the settings")?;
            return Ok(u8::from(!config.problems.is_empty()));
        }
    }
    Ok(0)
}
