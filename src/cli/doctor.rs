//! `berth doctor`: everything that an agent needs of this host, what is wrong with it, and what to do.

use clap::Args;

use super::client::{Client, ClientError};
use super::exit;
use super::output::{Format, Output, plain, wrap};
use crate::api::observe::probes::Check;
use crate::api::observe::probes::wire::{CheckResult, HealthReport};
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
    let results = checks(config, client).await;
    let fails = results.iter().any(CheckResult::fails);
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
pub(super) async fn checks(config: &Config, client: &Client) -> Vec<CheckResult> {
    let (runs, told) = agent(client).await;
    let seen = examine(config, runs).await;
    seen.iter().map(Into::into).chain(told).collect()
}

/// Whether it runs, and what of its own checks does not pass.
async fn agent(client: &Client) -> (bool, Vec<CheckResult>) {
    const HINT: &str = "start it with `berth agent` or its service; `berth run` needs none";
    let answer = client.probe("/healthz").await.and_then(|body| {
        serde_json::from_slice(&body).map_err(|source| ClientError::BadAnswer { source })
    });
    let report: HealthReport = match answer {
        Ok(report) => report,
        Err(ClientError::Problem(problem)) => {
            let check = Check::fail("agent", problem.title).hint("look at its log");
            return (true, vec![(&check).into()]);
        }
        Err(error) => {
            let check = Check::warn("agent", error.to_string()).hint(HINT);
            return (false, vec![(&check).into()]);
        }
    };
    let mut told = vec![CheckResult::from(&Check::pass("agent", "runs"))];
    let wrong = report.checks.into_iter().filter(|check| !check.passes());
    told.extend(wrong.map(|check| CheckResult {
        name: format!("agent/{}", check.name),
        ..check
    }));
    if let [all] = told.as_mut_slice() {
        all.message.push_str(", and all is well");
    }
    (true, told)
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
    // A name that is longer than its column has a line of its own.
    if head.chars().count() > INDENT {
        lines.push(head.trim_end().to_owned());
    }
    for text in words.into_iter().chain(hint) {
        let head = if lines.is_empty() { head.as_str() } else { "" };
        lines.push(format!("{head:INDENT$}{text}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::admin::testing::Rig;
    use crate::cli::testing::Agent;
    use crate::reconcile::snapshot::Snapshot;

    #[tokio::test]
    async fn what_the_agent_finds_wrong_is_told_with_what_to_do() {
        let ecs = Check::warn("ecs", "not connected").hint("it is tried again");
        let rig = Rig::beside(Snapshot::default(), vec![ecs]);
        let running = Agent::of(rig).await;
        let (runs, told) = agent(&running.client).await;
        let told: Vec<(&str, &str)> = told
            .iter()
            .map(|check| (check.status.as_str(), check.name.as_str()))
            .collect();
        let expected = [
            ("pass", "agent"),
            ("fail", "agent/docker"),
            ("fail", "agent/containers"),
            ("warn", "agent/ecs"),
        ];
        assert!(runs);
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn no_agent_is_no_failure() {
        let client = Client::new("/nowhere/berth.sock");
        let (runs, told) = agent(&client).await;
        assert!(!runs && told.iter().all(|check| check.status == "warn"));
    }

    #[test]
    fn a_long_name_has_a_line_of_its_own() {
        let check = Check::fail("agent/task-server-address", "the port is taken");
        let expected = [
            "fail  agent/task-server-address".to_owned(),
            format!("{:INDENT$}the port is taken", ""),
        ];
        assert_eq!(lines(&(&check).into(), 80), expected);
    }

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
