//! From a parsed command line to an exit code: gathers settings, sets up log lines, calls the command.

use std::io::{self, IsTerminal};

use anyhow::Context;
use clap::ColorChoice;
use console::Term;
use tokio::runtime::{Builder, Runtime};

use super::agent::agent;
use super::check_config::{check_config, with_network};
use super::client::Client;
use super::completions;
use super::input::InputError;
use super::output::{Format, Output, OutputStyle};
use super::plan::plan;
use super::root::{Cli, Command, Global};
use super::run::command::{RunStyle, run as run_task};
use super::service::{self, ServiceAction};
use super::settings;
use super::supervise::supervise;
use super::{bundle, doctor, drain, events, exit, host, logs, openapi, ps, rm, stop, top, why};
use crate::app::place::{admin_address_of, service_directories, service_log};
use crate::config::ecs_env::LOG_LEVEL;
use crate::config::sections::LogLevel;
use crate::config::source;
use crate::config::{Config, Origin};
use crate::platform::{raise_open_files, share_heaps};
use crate::telemetry::TelemetryError;
use crate::{platform, telemetry};

/// Threads that run tasks: the work is waiting, so two keep one slow poll from holding up the rest.
const WORKERS: usize = 2;

/// Heaps of the C library: one for each of those, shared by the other threads.
const HEAPS: u8 = 2;

/// Columns that tables are made for where nobody says how wide the terminal is, or it is too narrow.
const NARROWEST: usize = 80;

/// Threads for blocking calls (files, the kernel); more wait.
const BLOCKING_THREADS: usize = 16;

/// Does what the command line says, and gives the exit code ([`exit`]).
///
/// # Errors
/// Why it could not be done, with its causes; [`exit_code_of`] says with which code.
pub fn run(cli: &Cli) -> anyhow::Result<u8> {
    let global = &cli.global;
    match &cli.command {
        Command::Completions { shell } => {
            completions::completions(*shell, &mut io::stdout())
                .context("print the completion script")?;
        }
        Command::Man => completions::man(&mut io::stdout()).context("print the manual page")?,
        Command::OpenApi { document } => {
            return openapi::run(*document, &mut Output::process(style(global)));
        }
        Command::CheckConfig => {
            let (config, unread) = settings::load_with_instance(global, Vec::new());
            log_lines(&config, global)?;
            tell_unread(unread);
            let config = with_network(config);
            check_config(&config, global.json, &mut io::stdout()).context("print the settings")?;
            return Ok(u8::from(!config.problems.is_empty()));
        }
        Command::Plan(args) => {
            let config = quiet(settings::load(global, args.definition.settings()));
            log_lines(&config, global)?;
            return runtime()?.block_on(plan(args, &config, global.json, &mut io::stdout()));
        }
        Command::Run(args) => {
            let config = quiet(settings::load(global, args.definition.settings()));
            log_lines(&config, global)?;
            let style = RunStyle {
                json: global.json,
                color: colored(global, io::stdout().is_terminal()),
                terminal: io::stderr().is_terminal(),
            };
            return runtime()?.block_on(run_task(args, &config, style));
        }
        Command::Agent(args) => {
            let (config, unread) = settings::load_with_instance(global, args.settings());
            log_lines(&config, global)?;
            tell_unread(unread);
            return runtime()?.block_on(agent(args, &config));
        }
        Command::Supervise(args) => {
            let config = settings::load(global, args.settings());
            log_lines(&config, global)?;
            return single_thread()?.block_on(supervise(&config));
        }
        Command::Service(args) => return of_service(&args.action, global),
        Command::Ps(_)
        | Command::Why(_)
        | Command::Events(_)
        | Command::Top(_)
        | Command::Doctor(_)
        | Command::Host(_)
        | Command::Bundle(_)
        | Command::Logs(_)
        | Command::Stop(_)
        | Command::Drain(_)
        | Command::Rm(_) => return ask(cli),
    }
    Ok(exit::OK)
}

/// Settings that may be there and are not known.
fn tell_unread(unread: Option<String>) {
    if let Some(error) = unread {
        tracing::warn!(
            event = "user-data-unread",
            error,
            "settings that the user data of the instance may hold are not known"
        );
    }
}

/// Becomes the service, or does what is asked with it.
fn of_service(action: &ServiceAction, global: &Global) -> anyhow::Result<u8> {
    let ServiceAction::Run(args) = action else {
        let flags = if let ServiceAction::Install(args) = action {
            args.agent.settings()
        } else {
            Vec::new()
        };
        let config = quiet(settings::load(global, flags));
        log_lines(&config, global)?;
        let out = &mut Output::process(style(global));
        return service::run(action, global, &service_directories(&config), out);
    };
    let (args, global) = (args.clone(), global.clone());
    // The service manager waits: settings are read when it has heard of us.
    platform::service::run(move || {
        let (config, unread) = settings::load_with_instance(&global, args.settings());
        let code = telemetry::install_for_service(config.log, service_log(&config))
            .map_err(anyhow::Error::from)
            .inspect(|()| tell_unread(unread))
            .and_then(|()| runtime()?.block_on(agent(&args, &config)));
        code.unwrap_or_else(|error| {
            tracing::error!(
                event = "agent-failed",
                error = format!("{error:#}"),
                "the agent has ended with an error"
            );
            exit_code_of(&error)
        })
    })?;
    Ok(exit::OK)
}

/// Code for an error that [`run`] gave.
pub fn exit_code_of(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<InputError>() {
        Some(InputError::Refused { .. } | InputError::TooLarge { .. }) => exit::REFUSED,
        Some(InputError::Flag(_)) => exit::USAGE,
        Some(InputError::Read { .. }) | None => exit::code_of(error),
    }
}

/// Commands that ask the agent.
fn ask(cli: &Cli) -> anyhow::Result<u8> {
    let config = quiet(settings::load(&cli.global, []));
    log_lines(&config, &cli.global)?;
    let client = Client::new(admin_address_of(&config));
    let out = &mut Output::process(style(&cli.global));
    runtime()?.block_on(async {
        match &cli.command {
            Command::Ps(args) => ps::run(args.clone(), &client, out).await,
            Command::Why(args) => why::run(args.clone(), &client, out).await,
            Command::Events(args) => events::run(args.clone(), &client, out).await,
            Command::Top(args) => top::run(args.clone(), &client, out).await,
            Command::Doctor(_) => doctor::run(&config, &client, out).await,
            Command::Host(args) => host::run(args.action, &config, out).await,
            Command::Bundle(args) => bundle::run(args.clone(), &config, &client, out).await,
            Command::Logs(args) => logs::run(args.clone(), &client, out).await,
            Command::Stop(args) => stop::run(args.clone(), &client, out).await,
            Command::Drain(args) => drain::run(args.clone(), &client, out).await,
            Command::Rm(args) => rm::run(args.clone(), &client, out).await,
            Command::Run(_)
            | Command::Agent(_)
            | Command::Supervise(_)
            | Command::Service(_)
            | Command::Plan(_)
            | Command::CheckConfig
            | Command::Completions { .. }
            | Command::Man
            | Command::OpenApi { .. } => Ok(exit::OK),
        }
    })
}

fn style(global: &Global) -> OutputStyle {
    OutputStyle {
        color: colored(global, io::stdout().is_terminal()),
        width: usize::from(Term::stdout().size().1).max(NARROWEST),
        format: if global.json {
            Format::Json
        } else {
            Format::Text
        },
    }
}

/// Log lines go to standard error, as the settings say.
fn log_lines(config: &Config, global: &Global) -> Result<(), TelemetryError> {
    telemetry::install(config.log, colored(global, io::stderr().is_terminal()))
}

/// Whether colours are wanted on an output that is a terminal, or is not.
fn colored(global: &Global, is_terminal: bool) -> bool {
    match global.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => is_terminal && !source::no_color(),
    }
}

fn runtime() -> anyhow::Result<Runtime> {
    share_heaps(HEAPS);
    raise_open_files();
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .context("start the threads")
}

/// For a process that mostly waits and is to stay small.
fn single_thread() -> anyhow::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn who_asks_for_colours_or_none_is_heard_whatever_reads_them() {
        for (word, is_terminal, expected) in [
            ("always", false, true),
            ("always", true, true),
            ("never", true, false),
            ("auto", false, false),
        ] {
            let cli = Cli::parse_from(["berth", "--color", word, "ps"]);
            assert_eq!(colored(&cli.global, is_terminal), expected, "{word}");
        }
    }
}
