//! `berth doctor`: everything that an agent needs of this host, what is wrong with it, and what to do.

use clap::Args;

use super::client::{Client, ClientError};
use super::exit;
use super::output::{Format, Output, plain, wrap};
use crate::api::observe::probes::wire::CheckResult;
use crate::api::observe::probes::{Check, CheckStatus};
use crate::api::observe::wire::Health;
use crate::app::doctor::examine;
use crate::config::Config;

/// Columns before the words of a check.
const INDENT: usize = 28;

/// Say what is wrong with this host.
#[derive(Args, Clone, Debug, Default)]
pub struct DoctorArgs {}

/// Prints one line a check; the exit code is 1 if one fails.
///
/// # Errors
/// If the reader of the output has gone away.
pub async fn run(config: &Config, client: &Client, out: &mut Output) -> anyhow::Result<u8> {
    let checks = checks(config, client).await;
    let results: Vec<CheckResult> = checks.iter().map(Into::into).collect();
    let fails = checks.iter().any(|check| check.status == CheckStatus::Fail);
    if out.format() == Format::Json {
        out.json(&results)?;
    } else {
        let width = out.width();
        for line in results.iter().flat_map(|result| lines(result, width)) {
            out.line(&line)?;
        }
    }
    Ok(if fails { exit::FAILED } else { exit::OK })
}

/// What can be seen from outside, and what a running agent says of itself.
pub(super) async fn checks(config: &Config, client: &Client) -> Vec<Check> {
    let agent = agent(client).await;
    let runs = agent.status != CheckStatus::Warn;
    let mut checks = examine(config, runs).await;
    checks.push(agent);
    checks
}

async fn agent(client: &Client) -> Check {
    const HINT: &str = "start it with `berth agent` or its service; `berth run` needs none";
    match client.get::<Health>("/v1/health").await {
        Ok(health) if health.troubles.is_empty() => Check::pass("agent", "runs, and all is well"),
        Ok(health) => Check::fail(
            "agent",
            format!("runs, but: {}", health.troubles.join("; ")),
        )
        .hint("`berth why` says what its tasks wait for"),
        Err(ClientError::Problem(problem)) => {
            Check::fail("agent", problem.title.clone()).hint("look at its log")
        }
        Err(error) => Check::warn("agent", error.to_string()).hint(HINT),
    }
}

fn lines(check: &CheckResult, width: usize) -> Vec<String> {
    let room = width.saturating_sub(INDENT).max(20);
    let words = wrap(&plain(&check.message), room);
    let hint = check
        .hint
        .iter()
        .flat_map(|hint| wrap(&format!("-> {hint}"), room));
    let head = format!("{:5} {:20}  ", check.status, check.name);
    let mut lines = Vec::new();
    for (index, text) in words.into_iter().chain(hint).enumerate() {
        if index == 0 {
            lines.push(format!("{head}{text}"));
        } else {
            lines.push(format!("{:INDENT$}{text}", ""));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_fits_eighty_columns_and_says_what_to_do() {
        let check =
            Check::fail("docker", "no answer within 5 s ".repeat(9)).hint("start the service");
        let lines = lines(&(&check).into(), 80);
        assert!(
            lines.iter().all(|line| line.chars().count() <= 80),
            "{lines:?}"
        );
        assert!(lines[0].starts_with("fail  docker                no answer"));
        assert!(
            lines
                .last()
                .is_some_and(|line| line.ends_with("-> start the service"))
        );
    }
}
