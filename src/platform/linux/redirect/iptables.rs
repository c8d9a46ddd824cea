//! Sets and removes the rules with `iptables`, and what the kernel must be told for them.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;

use super::rules::{Rule, Verb, rules};
use crate::boundary::redirect::TaskRedirect;
use crate::boundary::{BoundaryError, ErrorKind};
use crate::platform::command::{Command, CommandError};

/// Deadline of one run of `iptables`, which waits up to 3 s for others.
const DEADLINE: Duration = Duration::from_secs(5);

/// Copies of one rule that are removed at most: somebody else's agent may have set it at each of its starts.
const MAX_COPIES: usize = 64;

/// Exit status of `iptables` where what was asked for is not there; trouble with the machine has others.
const NOT_THERE: i32 = 1;

/// Whether packets for loopback may come from links; of all, and what new links begin with.
const ROUTE_LOCALNET: &str = "/proc/sys/net/ipv4/conf/all/route_localnet";
const ROUTE_LOCALNET_DEFAULT: &str = "/proc/sys/net/ipv4/conf/default/route_localnet";

/// The redirect to a task server of this host.
#[derive(Clone, Copy, Debug)]
pub struct RedirectOs {
    server: SocketAddr,
    filter: bool,
}

impl RedirectOs {
    /// To a task server at that address of IPv4; `filter` drops packets for loopback from outside.
    pub fn new(server: SocketAddr, filter: bool) -> Self {
        Self { server, filter }
    }
}

#[async_trait]
impl TaskRedirect for RedirectOs {
    async fn ensure(&self) -> Result<bool, BoundaryError> {
        let operation = "send what containers ask for to the task server";
        let mut is_new = false;
        for rule in rules(self.server, self.filter) {
            if !is_there(&rule)
                .await
                .map_err(|error| failed(operation, error))?
            {
                let added = iptables(&rule, Verb::Add).await;
                added.map_err(|error| failed(operation, error))?;
                is_new = true;
            }
        }
        // Last: by then the rule that keeps others out is there.
        is_new |= set(ROUTE_LOCALNET, "1").map_err(|error| unset(operation, error))?;
        Ok(is_new)
    }

    async fn release(&self) -> Result<(), BoundaryError> {
        let operation = "take away the rules that lead to the task server";
        let mut removed = false;
        for rule in rules(self.server, true).iter().rev() {
            for _ in 0..MAX_COPIES {
                match is_there(rule).await {
                    Ok(true) => {}
                    // Nothing can have been set with a program that is not there.
                    Ok(false) | Err(CommandError::Missing { .. }) => break,
                    Err(error) => return Err(failed(operation, error)),
                }
                let done = iptables(rule, Verb::Delete).await;
                done.map_err(|error| failed(operation, error))?;
                removed = true;
            }
        }
        // Without rules of ours the setting is somebody else's.
        if removed {
            let usual = read(ROUTE_LOCALNET_DEFAULT).unwrap_or_else(|_| "0".to_owned());
            set(ROUTE_LOCALNET, &usual).map_err(|error| unset(operation, error))?;
        }
        Ok(())
    }
}

async fn is_there(rule: &Rule) -> Result<bool, CommandError> {
    match iptables(rule, Verb::Check).await {
        Ok(()) => Ok(true),
        Err(CommandError::Failed { status, .. }) if status.code() == Some(NOT_THERE) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn iptables(rule: &Rule, verb: Verb) -> Result<(), CommandError> {
    let command = Command::new("iptables", DEADLINE).args(rule.args(verb));
    command.run().await.map(drop)
}

/// The setting has that value; `true` = it had another.
fn set(path: &str, value: &str) -> io::Result<bool> {
    if read(path).is_ok_and(|found| found == value) {
        return Ok(false);
    }
    fs::write(Path::new(path), value)?;
    Ok(true)
}

fn read(path: &str) -> io::Result<String> {
    Ok(fs::read_to_string(path)?.trim().to_owned())
}

fn unset(operation: &str, error: io::Error) -> BoundaryError {
    let words = "net.ipv4.conf.all.route_localnet cannot be set";
    BoundaryError::new(operation, ErrorKind::Denied, words).because(error)
}

fn failed(operation: &str, error: CommandError) -> BoundaryError {
    let (kind, words) = match &error {
        CommandError::Missing { .. } => (
            ErrorKind::Invalid,
            "the program iptables is not there; without BERTH_TASK_REDIRECT the agent needs none",
        ),
        CommandError::Failed { .. }
        | CommandError::Start { .. }
        | CommandError::Pipe { .. }
        | CommandError::Deadline { .. } => (ErrorKind::Transient, "iptables does not do it"),
    };
    BoundaryError::new(operation, kind, words).because(error)
}
