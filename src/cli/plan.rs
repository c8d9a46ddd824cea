//! `berth plan`: what a task definition would do on this host, before anything is done.

use std::io::Write;

use anyhow::Context;
use clap::Args;

use super::input::DefinitionArgs;
use super::refusal::refusal;
use super::run::command::unserved;
use crate::app::claim::foresee;
use crate::app::{plan_print, planner};
use crate::config::Config;

/// The task is refused on this host.
const REFUSED: u8 = 5;

/// Arguments.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// What to plan.
    #[command(flatten)]
    pub definition: DefinitionArgs,
}

/// Prints the plan. Gives 5 if the task is refused on this host.
///
/// # Errors
/// If the definition cannot be read or the plan not be printed.
pub async fn plan(
    args: &PlanArgs,
    config: &Config,
    as_json: bool,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<u8> {
    let input = match args.definition.load() {
        Ok(input) => input,
        Err(error) => {
            let refusal = refusal(error, &args.definition, config).await?;
            if !as_json {
                return Err(refusal.error.into());
            }
            writeln!(out, "{:#}", plan_print::json(&refusal.report)).context("print the plan")?;
            return Ok(REFUSED);
        }
    };
    let mut config = config.clone();
    // A run on this host, as it is now, is what is planned.
    if let Err(error) = foresee(&mut config).await {
        unserved(&error, &mut std::io::stderr())?;
    }
    let config = &config;
    let host = planner::ask_host(config).await;
    let warnings = input.warnings.into_iter();
    let warnings = warnings.map(|finding| (finding.path, finding.message));
    let report = planner::answer(
        config,
        &host,
        input.definition,
        input.options,
        warnings.collect(),
    )
    .context("make a plan")?;
    if as_json {
        writeln!(out, "{:#}", plan_print::json(&report)).context("print the plan")?;
    } else {
        plan_print::text(&report, out).context("print the plan")?;
    }
    Ok(if report.is_refused() { REFUSED } else { 0 })
}
