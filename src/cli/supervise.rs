//! `berth supervise`: the parent of the agent, with the agent's own arguments.

use std::ffi::OsString;

use anyhow::Context;
use clap::Parser as _;

use super::root::{Cli, Command};
use crate::app::supervisor;
use crate::config::Config;

/// Names of the commands.
const SUPERVISE: &str = "supervise";
const AGENT: &str = "agent";

/// Runs agents until asked to end; gives the exit code of the last one.
///
/// # Errors
/// If this system has no such parent, or this program cannot be found.
pub async fn supervise(config: &Config) -> anyhow::Result<u8> {
    let program = std::env::current_exe().context("find this program")?;
    let line: Vec<OsString> = std::env::args_os().collect();
    let args = agent_args(&line).context("make the agent's arguments of these")?;
    Ok(supervisor::run(config, program, args).await?)
}

/// The arguments of an agent with the same flags: one word is another. A value may be that word too, so the result is
/// read as a command line before it counts.
fn agent_args(line: &[OsString]) -> Option<Vec<OsString>> {
    let places = line
        .iter()
        .enumerate()
        .filter(|(_, word)| word.as_os_str() == SUPERVISE);
    places.map(|(place, _)| place).find_map(|place| {
        let mut changed = line.to_vec();
        *changed.get_mut(place)? = AGENT.into();
        let read = Cli::try_parse_from(&changed).ok()?;
        matches!(read.command, Command::Agent(_)).then(|| changed.split_off(1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_has_the_flags_of_its_parent() {
        let check = |line: &str, expected: Option<&str>| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let found = agent_args(&words).map(|args| args.join(" ".as_ref()));
            assert_eq!(found, expected.map(OsString::from), "{line}");
        };
        check(
            "berth supervise --tasks-dir /t --data-dir /d",
            Some("agent --tasks-dir /t --data-dir /d"),
        );
        check(
            "berth --data-dir supervise supervise --tasks-dir supervise",
            Some("--data-dir supervise agent --tasks-dir supervise"),
        );
        check("berth ps", None);
    }
}
