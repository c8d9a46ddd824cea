//! How containers, which ask at port 80 of their address, get to this agent: rules lead to another port, at which it
//! listens, so that port 80 of this host is left to tasks. Where there can be no such rules it listens at port 80.
//!
//! **Invariants.** Which of the two it is is settled at the start and stays so, since tasks and ECS are told which ports
//! are to be had. The agent listens at the other port either way: rules that an earlier run has left lead to it as well.
//! What takes the rules away is undone, and they stay when the agent ends. [`release`] takes them away.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::conditions::Conditions;
use super::place::system;
use super::task_address::TASK_SERVER;
use super::task_way;
use crate::api::observe::probes::Check;
use crate::boundary::{BoundaryError, ErrorKind, TaskLead};
use crate::config::Config;
use crate::config::sections::{Front, ListenSection};
use crate::domain::host::OsType;
use crate::error::ErrorChain;
use crate::platform::LeadOs;

/// Longest time between two looks where the host says when its rules change; a look runs a program.
const LOOK_PACE: Duration = Duration::from_secs(15);

/// The same where it does not say.
const BLIND_PACE: Duration = Duration::from_secs(1);

/// The same where the rules cannot be had.
const RETRY_PACE: Duration = Duration::from_secs(5);

/// Pause after a hint: changes come in bursts.
const HINT_PAUSE: Duration = Duration::from_millis(50);

/// Tries at the start, and the pause between them, where it is not clear that something is missing.
const TRIES: (u32, Duration) = (3, Duration::from_millis(200));

/// Name of the check.
pub(super) const NAME: &str = "task-port";

/// Why the agent has to listen at port 80 itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The host can have no such rules.
    NoRules(String),
    /// Whoever started the agent holds the port and hands it over.
    Handed,
    /// The operator has the agent listen at port 80.
    Setting,
    /// There was one when the agent started.
    Gone,
}

impl Obstacle {
    /// What it means for tasks.
    pub(super) fn check(&self, name: &'static str) -> Check {
        let port = TASK_SERVER.port();
        let why = match self {
            Self::NoRules(why) => why,
            Self::Handed => "a socket for it was handed over",
            Self::Setting => "BERTH_TASK_SERVER_ADDRESS names it",
            Self::Gone => "nothing is in the way of rules now",
        };
        let words =
            format!("no task can have TCP port {port} of this host, which is the agent's: {why}");
        Check::warn(name, words).hint(match self {
            Self::NoRules(_) => {
                "install nftables (a kernel with nf_tables and the program nft) and start the agent anew, as root; \
                 BERTH_TASK_REDIRECT=true uses iptables instead"
            }
            Self::Handed => "install the berth.socket of this version, then restart berth.socket and berth.service",
            Self::Setting => "name another port",
            Self::Gone => "start the agent anew; where systemd keeps its sockets, with the berth.socket of this version",
        })
    }
}

/// Settles how containers get to an agent with these settings. `is_handed`: a socket at port 80 was handed to it.
pub(super) async fn settle(config: &mut Config, is_handed: bool) -> Option<Obstacle> {
    let listen = &mut config.listen;
    if system() == OsType::Windows {
        listen.front = Front::Own;
        return None;
    }
    if !listen.task_address {
        return None;
    }
    let obstacle = obstacle(&LeadOs::default(), listen, is_handed).await;
    listen.front = if obstacle.is_some() {
        Front::Own
    } else {
        Front::Led
    };
    obstacle
}

/// What is in the way of rules on this host.
pub(super) async fn obstacle_here(listen: &ListenSection) -> Option<Obstacle> {
    match system() {
        OsType::Windows => None,
        OsType::Linux => obstacle(&LeadOs::default(), listen, false).await,
    }
}

async fn obstacle(
    lead: &impl TaskLead,
    listen: &ListenSection,
    is_handed: bool,
) -> Option<Obstacle> {
    if listen.task_server.port() == TASK_SERVER.port() {
        return Some(Obstacle::Setting);
    }
    match is_possible(lead).await {
        Err(error) => Some(Obstacle::NoRules(ErrorChain(&error).to_string())),
        Ok(()) => is_handed.then_some(Obstacle::Handed),
    }
}

async fn is_possible(lead: &impl TaskLead) -> Result<(), BoundaryError> {
    let (tries, pause) = TRIES;
    let mut answer = lead.is_possible().await;
    for _ in 1..tries {
        match &answer {
            Err(error) if error.kind != ErrorKind::Invalid => {}
            Ok(()) | Err(_) => break,
        }
        tokio::time::sleep(pause).await;
        answer = lead.is_possible().await;
    }
    answer
}

/// The rules, and where they lead.
pub(super) struct Keeper<L> {
    lead: L,
    port: u16,
    conditions: Conditions,
    /// They were led here by this process.
    is_ours: bool,
}

impl<L: TaskLead> Keeper<L> {
    /// Leads to that port of the address.
    pub(super) fn new(lead: L, port: u16, conditions: Conditions) -> Self {
        Self {
            lead,
            port,
            conditions,
            is_ours: false,
        }
    }

    /// Keeps them until `stop`.
    pub(super) async fn keep(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let pace = if self.ensure().await {
                LOOK_PACE
            } else {
                RETRY_PACE
            };
            // Cancel-safe: all only wait.
            tokio::select! {
                pause = self.hint() => tokio::time::sleep(pause).await,
                () = tokio::time::sleep(pace) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// When rules may have changed: how long to wait then.
    async fn hint(&self) -> Duration {
        match self.lead.changed().await {
            Ok(()) => HINT_PAUSE,
            // A hint that cannot be had leaves the looks by the clock.
            Err(_) => BLIND_PACE,
        }
    }

    /// The rules are there, or the agent's health says why they are not.
    pub(super) async fn ensure(&mut self) -> bool {
        let (asked, port) = (TASK_SERVER, self.port);
        match self.put_up().await {
            Ok(is_new) => {
                self.is_ours = true;
                let words = format!(
                    "{} port {} leads to port {port}: tasks may have port {} of this host",
                    asked.ip(),
                    asked.port(),
                    asked.port()
                );
                if self.conditions.set(Check::pass(NAME, words)) || is_new {
                    info!(
                        event = "task-lead-up",
                        port, "rules of nftables lead containers to the task server"
                    );
                }
                true
            }
            Err(error) => {
                let words = format!("containers do not reach the task server: {error}");
                let check = Check::fail(NAME, words).hint("it is tried again every few seconds");
                if self.conditions.set(check) {
                    warn!(
                        event = "task-lead-down",
                        error, "containers do not reach the task server; trying again"
                    );
                }
                false
            }
        }
    }

    async fn put_up(&self) -> Result<bool, String> {
        let told = |error: BoundaryError| ErrorChain(&error).to_string();
        if !self.is_ours {
            match self.lead.look().await.map_err(told)? {
                // One that is silent is started anew behind a socket that is kept for it.
                Some(other) if other != self.port && task_way::may_answer(other).await => {
                    return Err(format!("another agent is led to, at port {other}"));
                }
                None if task_way::is_served().await => {
                    return Err("another agent answers there".to_owned());
                }
                Some(_) | None => {}
            }
        }
        self.lead.ensure(self.port).await.map_err(told)
    }
}

/// Leads to the task server of these settings, if that is how containers are to get there; an agent does so itself.
///
/// # Errors
/// If the rules may not be changed.
pub async fn set_up(config: &Config) -> Result<(), BoundaryError> {
    let listen = &config.listen;
    let port = listen.task_server.port();
    let may_lead = system() == OsType::Linux && listen.at_address() && port != 0;
    let is_led = may_lead && obstacle_here(listen).await.is_none();
    // Whoever is led to already goes on.
    if is_led && !task_way::is_served().await {
        LeadOs::default().ensure(port).await?;
    }
    Ok(())
}

/// Where port 80 of the address leads on this host.
///
/// # Errors
/// If the host does not say.
pub async fn leads_to() -> Result<Option<u16>, BoundaryError> {
    LeadOs::default().look().await
}

/// Takes the rules from this host; an agent that runs brings them back.
///
/// # Errors
/// If they may not be changed.
pub async fn release() -> Result<(), BoundaryError> {
    LeadOs::default().release().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::observe::probes::CheckStatus;
    use crate::testing::lead::FakeLead;

    fn keeper() -> (Keeper<FakeLead>, FakeLead, Conditions) {
        let (host, conditions) = (FakeLead::default(), Conditions::default());
        let keeper = Keeper::new(host.clone(), 51679, conditions.clone());
        (keeper, host, conditions)
    }

    fn status(conditions: &Conditions) -> Option<CheckStatus> {
        conditions.checks().first().map(|check| check.status)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_in_the_way_of_rules_is_told() {
        let host = FakeLead::default();
        let listen = |pairs: &[(&str, &str)]| Config::of_environment(pairs).listen;
        let usual = listen(&[]);
        assert_eq!(obstacle(&host, &usual, false).await, None);
        assert_eq!(obstacle(&host, &usual, true).await, Some(Obstacle::Handed));
        let named = listen(&[("BERTH_TASK_SERVER_ADDRESS", "127.0.0.1:80")]);
        assert_eq!(
            obstacle(&host, &named, false).await,
            Some(Obstacle::Setting)
        );
        host.refuses(true);
        let none = obstacle(&host, &usual, true).await.unwrap();
        let check = none.check("x");
        assert!(
            check.message.ends_with("lead containers: no nf_tables"),
            "{check:?}"
        );
        assert_eq!(check.status, CheckStatus::Warn);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_taken_away_is_back_and_the_end_leaves_it() {
        let (keeper, host, conditions) = keeper();
        let stop = CancellationToken::new();
        let mut kept = tokio::task::JoinSet::new();
        kept.spawn(keeper.keep(stop.clone()));
        for _ in 0..2 {
            tokio::time::sleep(2 * HINT_PAUSE).await;
            assert_eq!(host.leads_to(), Some(51679));
            assert_eq!(status(&conditions), Some(CheckStatus::Pass));
            host.release().await.unwrap();
        }
        host.refuses(true);
        tokio::time::sleep(2 * HINT_PAUSE).await;
        assert_eq!(status(&conditions), Some(CheckStatus::Fail));
        host.refuses(false);
        tokio::time::sleep(2 * RETRY_PACE).await;
        assert_eq!(status(&conditions), Some(CheckStatus::Pass));
        stop.cancel();
        kept.join_next().await.unwrap().unwrap();
        assert_eq!(host.leads_to(), Some(51679));
    }
}
