//! The command itself: reads, judges, runs, and gives the task's exit code.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::sync::mpsc;

use super::prefix::Prefixes;
use super::screen::{Screen, Style};
use super::session::{Afterwards, Session, SessionDeps, SessionError};
use crate::app::claim::{Claim, ClaimError, claim};
use crate::app::foreground::{Foreground, Leftovers, clean_up_killed, interrupts, runs_dir};
use crate::app::plan_report::Report;
use crate::app::planner::NoRuntime;
use crate::app::{plan_print, planner};
use crate::cli::exit;
use crate::cli::input::{DefinitionArgs, Input};
use crate::cli::refusal::{among_others, refusal};
use crate::config::Config;
use crate::domain::definition::TaskDefinition;
use crate::domain::names::LABEL_TASK_ARN;

/// Requests to end that may wait: the third leaves at once, more say nothing new.
const INTERRUPTS: usize = 4;

/// How long a run waits for what those before it have left.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// How long it waits on where they may hold its ports: a program that ignores SIGTERM has 30 s by default.
const SLOW_STOP: Duration = Duration::from_secs(35);

/// Arguments.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// What to run.
    #[command(flatten)]
    pub definition: DefinitionArgs,
    /// Keep the containers, volumes and state after the end
    #[arg(long)]
    pub keep: bool,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunStyle {
    /// One JSON object a line.
    pub json: bool,
    /// Colours.
    pub color: bool,
    /// Standard error is a terminal.
    pub terminal: bool,
}

/// Runs the task and gives its exit code: that of its essential container, 125 if it never started, 5 if this host
/// refuses the definition, 9 if Docker cannot be used.
///
/// # Errors
/// If it could not be run at all.
pub async fn run(args: &RunArgs, config: &Config, style: RunStyle) -> anyhow::Result<u8> {
    let input = match args.definition.load() {
        Ok(input) => input,
        Err(error) => {
            let refusal = refusal(error, &args.definition, config).await?;
            if !style.json {
                return Err(refusal.error.into());
            }
            return refused(&refusal.report, style);
        }
    };
    let mut config = config.clone();
    let claimed = match claim(&mut config).await {
        Ok(claimed) => claimed,
        Err(error) => {
            unserved(&error, &mut io::stderr())?;
            None
        }
    };
    let code = run_with(args, &config, style, input, claimed.as_ref()).await;
    if let Some(claimed) = claimed {
        claimed.release().await;
    }
    code
}

/// Says why nobody serves the task, in the words of `run` and `plan`.
///
/// # Errors
/// If it cannot be printed.
pub(in crate::cli) fn unserved(
    error: &ClaimError,
    out: &mut (dyn io::Write + Send),
) -> anyhow::Result<()> {
    writeln!(
        out,
        "berth: warning: a run serves neither metadata nor a role to the task: {error}"
    )
    .context("say what is not served")
}

async fn run_with(
    args: &RunArgs,
    config: &Config,
    style: RunStyle,
    input: Input,
    claimed: Option<&Claim>,
) -> anyhow::Result<u8> {
    let host = planner::ask_host(config).await;
    let warnings = input
        .warnings
        .iter()
        .map(|found| (found.path.clone(), found.message.clone()));
    let (definition, options) = (input.definition.clone(), input.options.clone());
    let report = planner::answer(config, &host, definition, options, warnings.collect())
        .context("judge the definition")?;
    plan_print::findings(&report, &mut io::stderr()).context("print the findings")?;
    if report.is_refused() {
        return refused(&report, style);
    }
    if let Some(trouble) = host.trouble {
        // Before anything is made: whoever sits in front of it can do more about it than waiting can.
        return Err(NoRuntime(trouble).into());
    }
    let mut interrupts = interrupts()?;
    let clean_up = make_room(config, &input.definition, interrupts.next()).await?;
    let screen = screen(&input.definition, style);
    let run = Foreground::start(config, input.definition, input.options, claimed).await?;
    let (afterwards, leftovers) = if args.keep {
        (Afterwards::Keep, Leftovers::Keep)
    } else {
        (Afterwards::Remove, Leftovers::Remove)
    };
    let (sender, receiver) = mpsc::channel(INTERRUPTS);
    let deps = SessionDeps {
        engine: run.engine.clone(),
        containers: run.containers.clone(),
        interrupts: receiver,
    };
    let session = Session::new(deps, run.arn.clone(), afterwards, screen);
    let signals = async {
        loop {
            interrupts.next().await;
            // A full channel holds more than the session counts.
            let _full = sender.try_send(());
        }
    };
    let session = async {
        // Cancel-safe: signals that are dropped with the session have nobody to tell.
        tokio::select! {
            code = session.run() => code,
            never = signals => never,
        }
    };
    let kept = format!(
        "berth: kept: containers with the label {LABEL_TASK_ARN}={}, state in {}",
        run.arn,
        run.dir.display()
    );
    let run = Box::pin(run.until(session, leftovers));
    let code = beside(clean_up, run).await??;
    if args.keep && !style.json {
        writeln!(io::stderr(), "{kept}").context("say what is kept")?;
    }
    Ok(code)
}

/// The rest of a clean-up.
type CleanUp<'c> = Pin<Box<dyn Future<Output = ()> + Send + 'c>>;

/// Cleans up after runs that were killed. What hangs is not waited for, and what only ends slowly is waited for where
/// it may hold ports that this run wants.
async fn make_room<'c, T>(
    config: &'c Config,
    definition: &TaskDefinition,
    interrupted: impl Future<Output = T>,
) -> anyhow::Result<CleanUp<'c>> {
    let mut clean_up: CleanUp<'c> = Box::pin(clean_up_killed(config));
    let mut interrupted = std::pin::pin!(interrupted);
    let mut waits = vec![CLEAN_UP];
    waits.extend(Some(SLOW_STOP).filter(|_| wants_ports(definition)));
    for (turn, wait) in waits.into_iter().enumerate() {
        // Cancel-safe: a clean-up that is dropped is begun anew by the next start.
        tokio::select! {
            () = &mut clean_up => return Ok(Box::pin(std::future::pending())),
            () = tokio::time::sleep(wait) => {}
            _ = &mut interrupted => return Err(SessionError::Abandoned.into()),
        }
        if turn == 0 {
            writeln!(
                io::stderr(),
                "berth: what runs that were killed have left is still being removed: their state is in {}",
                runs_dir(config).display()
            )
            .context("say what is still being removed")?;
        }
    }
    Ok(clean_up)
}

fn wants_ports(definition: &TaskDefinition) -> bool {
    let mut mappings = definition
        .containers
        .iter()
        .flat_map(|container| &container.port_mappings);
    mappings.any(|mapping| mapping.host_port.is_some())
}

/// The run, with the rest of the clean-up beside it.
async fn beside<T>(clean_up: CleanUp<'_>, mut run: impl Future<Output = T> + Unpin) -> T {
    // Cancel-safe: the run goes on below; a clean-up is dropped with the program, and the next start begins it anew.
    tokio::select! {
        ended = &mut run => return ended,
        () = clean_up => {}
    }
    run.await
}

/// The exit code; programs are told why on standard output.
fn refused(report: &Report, style: RunStyle) -> anyhow::Result<u8> {
    if style.json {
        writeln!(io::stdout(), "{}", among_others(report)).context("print the refusal")?;
    }
    Ok(exit::REFUSED)
}

/// Where the run prints: bars on a terminal, lines elsewhere, objects for programs.
fn screen(definition: &TaskDefinition, style: RunStyle) -> Screen {
    let names = definition
        .containers
        .iter()
        .map(|found| found.name.to_string());
    let prefixes = Prefixes::new(names, style.color);
    let how = match (style.json, style.terminal) {
        (true, _) => Style::Json,
        (false, true) => Style::Live,
        (false, false) => Style::Plain,
    };
    Screen::new(
        Box::new(io::stdout()),
        Box::new(io::stderr()),
        prefixes,
        how,
    )
}
