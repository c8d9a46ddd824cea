//! The command itself: reads, judges, runs, and gives the task's exit code.

use std::io::{self, Write as _};

use anyhow::Context;
use clap::Args;
use tokio::sync::mpsc;

use super::prefix::Prefixes;
use super::screen::{Screen, Style};
use super::session::{Afterwards, Session, SessionDeps, SessionError};
use crate::app::claim::{Claim, claim};
use crate::app::foreground::{Foreground, Leftovers, clean_up_killed, interrupts};
use crate::app::planner::NoRuntime;
use crate::app::{plan_print, planner};
use crate::cli::exit;
use crate::cli::input::{DefinitionArgs, Input};
use crate::config::Config;
use crate::domain::definition::TaskDefinition;
use crate::domain::names::LABEL_TASK_ARN;

/// Requests to end that may wait: the third leaves at once, more say nothing new.
const INTERRUPTS: usize = 4;

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
    let input = args.definition.load()?;
    let mut config = config.clone();
    let claimed = match claim(&mut config, &input.definition).await {
        Ok(claimed) => claimed,
        Err(error) => {
            writeln!(
                io::stderr(),
                "berth: warning: the task runs without its role: {error}"
            )
            .context("say what is not served")?;
            None
        }
    };
    let code = run_with(args, &config, style, input, claimed.as_ref()).await;
    if let Some(claimed) = claimed {
        claimed.release().await;
    }
    code
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
        return Ok(exit::REFUSED);
    }
    if let Some(trouble) = host.trouble {
        // Before anything is made: whoever sits in front of it can do more about it than waiting can.
        return Err(NoRuntime(trouble).into());
    }
    let mut interrupts = interrupts()?;
    // Cancel-safe: a clean-up that is dropped is begun anew by the next start.
    tokio::select! {
        () = clean_up_killed(config) => {}
        _ = interrupts.next() => return Err(SessionError::Abandoned.into()),
    }
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
    let code = Box::pin(run.until(session, leftovers)).await??;
    if args.keep && !style.json {
        writeln!(io::stderr(), "{kept}").context("say what is kept")?;
    }
    Ok(code)
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
