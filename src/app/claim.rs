//! The address of containers for a foreground run: claimed before anything starts, so that the run knows whether
//! metadata and roles of its task can be served, and given back in the end.
//!
//! **Invariants.** An address that somebody else serves is left alone, and so are the host's rules then: they are that
//! agent's. What the host had before stays.

use std::net::{SocketAddr, TcpListener};

use super::conditions::Conditions;
use super::handed::{HandedOver, TASK_SERVER_LED, TASK_SERVER_LOCAL, at_address};
use super::listeners::TaskServer;
use super::place::system;
use super::task_address::TASK_SERVER;
use super::{metadata_barrier, task_lead, task_way};
use crate::boundary::{BoundaryError, TaskAddress as _, TaskLead as _};
use crate::config::Config;
use crate::config::credentials::CredentialsFrom;
use crate::config::sections::Front;
use crate::domain::host::OsType;
use crate::error::ErrorChain;
use crate::platform::{LeadOs, TaskLink, listen_ahead, may_listen};

/// Why a foreground run serves its task nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// Somebody serves there, or this user may not.
    #[error(
        "{0} cannot be had ({1}): an agent that runs on this host has it, or root is needed; \
         BERTH_TASK_ADDRESS=false says that none is wanted"
    )]
    Listen(SocketAddr, String),
    /// The host cannot be given the address.
    #[error("this host cannot be given {ip} ({0})", ip = TASK_SERVER.ip())]
    Address(String),
}

/// Where containers of the run are served.
#[derive(Debug)]
pub struct Claim {
    /// At the address of containers.
    address: Vec<(&'static str, TcpListener)>,
    local: Option<TcpListener>,
    was_held: bool,
    lead: Option<Lead>,
    /// Whether tasks are to be kept from the instance metadata service, and nobody has done that already.
    puts_up_barrier: bool,
}

/// Rules that lead containers to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lead {
    to: u16,
    /// Where they led before: to an agent that does not run now.
    before: Option<u16>,
}

/// Claims the addresses and sets `config` so that the task is served; `None` = the operator wants none served.
///
/// # Errors
/// They cannot be had: the task then runs without metadata and without its role.
pub async fn claim(config: &mut Config) -> Result<Option<Claim>, ClaimError> {
    if !config.listen.task_address {
        return Ok(None);
    }
    let claimed = try_claim(config).await;
    if claimed.is_err() {
        take_no_port(config);
    }
    claimed.map(Some)
}

async fn try_claim(config: &mut Config) -> Result<Claim, ClaimError> {
    settle(config).await?;
    let places = at_address(system(), &config.listen);
    // For programs of this host only, as a rule: then a run does without. Rules of an agent may lead containers there.
    let may_miss = !places.is_empty() && !config.listen.task_redirect;
    let usual = config.listen.task_server;
    let local = match listen_ahead(usual) {
        Err(error) if !may_miss => return Err(refused(usual, &error)),
        local => local.ok(),
    };
    let mut address = Vec::new();
    for (name, place) in places {
        let socket = listen_ahead(place).map_err(|error| refused(place, &error))?;
        address.push((name, socket));
    }
    let link = TaskLink::default();
    let failed = |error| ClaimError::Address(ErrorChain(&error).to_string());
    let was_held = link.look().await.map_err(failed)?.is_some();
    link.ensure().await.map_err(failed)?;
    let mut claim = Claim {
        lead: None,
        address,
        local,
        was_held,
        puts_up_barrier: false,
    };
    if config.listen.front == Front::Led {
        // Where the address was not the host's, rules of an agent may lead from there all the same.
        let led = match nobody_serves().await {
            Ok(()) => claim.lead(usual.port()).await.map_err(failed),
            Err(served) => Err(served),
        };
        if let Err(error) = led {
            claim.release().await;
            return Err(error);
        }
    }
    serve(system(), config);
    // A host that does not say has none of ours.
    let is_up = metadata_barrier::is_up().await.unwrap_or(false);
    claim.puts_up_barrier = config.host.block_instance_metadata && !is_up;
    Ok(claim)
}

/// Sets `config` as [`claim`] would, without changing anything.
///
/// # Errors
/// The address cannot be had now.
pub async fn foresee(config: &mut Config) -> Result<(), ClaimError> {
    if !config.listen.task_address {
        return Ok(());
    }
    let foreseen = try_foresee(config).await;
    if foreseen.is_err() {
        take_no_port(config);
    }
    foreseen
}

async fn try_foresee(config: &mut Config) -> Result<(), ClaimError> {
    settle(config).await?;
    for (_, place) in at_address(system(), &config.listen) {
        may_listen(place).map_err(|error| refused(place, &error))?;
    }
    serve(system(), config);
    Ok(())
}

/// A run that serves nobody keeps port 80 from no task, its own first of all.
fn take_no_port(config: &mut Config) {
    config.listen.front = Front::default();
}

/// How containers would get to the run, unless an agent answers them already.
async fn settle(config: &mut Config) -> Result<(), ClaimError> {
    task_lead::settle(config, false).await;
    nobody_serves().await
}

async fn nobody_serves() -> Result<(), ClaimError> {
    if task_way::is_served().await {
        let why = "an agent answers there".to_owned();
        return Err(ClaimError::Listen(TASK_SERVER, why));
    }
    Ok(())
}

fn refused(place: SocketAddr, error: &std::io::Error) -> ClaimError {
    ClaimError::Listen(place, error.to_string())
}

/// Tells the engine what containers, and Docker for them, can ask for.
pub(super) fn serve(os: OsType, config: &mut Config) {
    let credentials = config.credentials.source != CredentialsFrom::Off;
    let listen = &config.listen;
    // Docker asks at the address that containers have.
    let at_address = listen.task_address || listen.task_redirect;
    // Without the agent's own address nobody leads containers of Windows to it, which has no iptables either. On Linux
    // an operator may.
    let reached = os == OsType::Linux || (listen.task_address && !listen.task_redirect);
    let endpoints = &mut config.engine.endpoints;
    endpoints.credentials = credentials && reached;
    endpoints.metadata = true;
    endpoints.log_roles = credentials && at_address && config.log_roles;
}

impl Claim {
    /// The sockets as if they had been handed over, and which listeners they are for.
    pub(super) fn handed(&self, config: &Config) -> std::io::Result<(HandedOver, TaskServer)> {
        let mut handed = HandedOver::default();
        let mut listeners = Vec::new();
        for (name, socket) in &self.address {
            listeners.push((*name, socket.local_addr()?));
            handed.give(name, socket.try_clone()?);
        }
        if let Some(local) = &self.local {
            handed.give(TASK_SERVER_LOCAL, local.try_clone()?);
            listeners.push((TASK_SERVER_LOCAL, config.listen.task_server));
        }
        let server = TaskServer {
            listeners,
            keeps_address: true,
        };
        Ok((handed, server))
    }

    /// Leads containers here; `usual` is the port of a listener that is there for others too.
    async fn lead(&mut self, usual: u16) -> Result<(), BoundaryError> {
        let mut sockets = self.address.iter();
        let own = sockets.find(|(name, _)| *name == TASK_SERVER_LED);
        let place = own.and_then(|(_, socket)| socket.local_addr().ok());
        let to = place.map_or(usual, |place| place.port());
        let rules = LeadOs::default();
        let before = rules.look().await?;
        rules.ensure(to).await?;
        self.lead = Some(Lead { to, before });
        Ok(())
    }

    /// What keeps leading containers here while the run lives.
    pub(super) fn keeper(&self) -> Option<task_lead::Keeper<LeadOs>> {
        let lead = self.lead?;
        let conditions = Conditions::default();
        Some(task_lead::Keeper::new(
            LeadOs::default(),
            lead.to,
            conditions,
        ))
    }

    /// Whether this run keeps tasks from the instance metadata service.
    pub(super) fn puts_up_barrier(&self) -> bool {
        self.puts_up_barrier
    }

    /// Gives the address back, and takes away what led there and what kept the task from the instance metadata service.
    pub async fn release(self) {
        if let Some(lead) = self.lead
            && let Err(error) = give_back(lead.before).await
        {
            let error = ErrorChain(&error).to_string();
            tracing::warn!(
                event = "task-lead-stays",
                error,
                "rules that lead containers to this run stay on this host"
            );
        }
        if self.puts_up_barrier
            && let Err(error) = metadata_barrier::release().await
        {
            let error = ErrorChain(&error).to_string();
            tracing::warn!(
                event = "metadata-barrier-stays",
                error,
                "rules that keep tasks from the instance metadata service stay on this host"
            );
        }
        if !self.was_held
            && let Err(error) = TaskLink::default().release().await
        {
            let error = ErrorChain(&error).to_string();
            tracing::warn!(
                event = "task-address-stays",
                error,
                "the address of containers stays on this host"
            );
        }
    }
}

/// Rules lead where they led before.
async fn give_back(before: Option<u16>) -> Result<(), BoundaryError> {
    match before {
        Some(port) => LeadOs::default().ensure(port).await.map(drop),
        None => task_lead::release().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, Strings};

    fn config(pairs: &[(&str, &str)]) -> Config {
        let texts = pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Config::read(&Strings::new().below(Origin::Flag, texts))
    }

    #[tokio::test]
    async fn nothing_is_claimed_or_foreseen_where_none_is_to_be_served() {
        let mut changed = config(&[("BERTH_TASK_ADDRESS", "false")]);
        let before = changed.engine.clone();
        assert!(matches!(claim(&mut changed).await, Ok(None)));
        assert_eq!(foresee(&mut changed).await, Ok(()));
        assert_eq!(changed.engine, before);
    }

    #[test]
    fn metadata_is_served_to_all_and_credentials_where_there_are_any() {
        for (os, source, address, redirect, credentials) in [
            (OsType::Linux, "off", "true", "false", false),
            (OsType::Linux, "sts", "true", "false", true),
            (OsType::Linux, "sts", "true", "true", true),
            // Who leads containers to the task server without the agent has them served all the same.
            (OsType::Linux, "sts", "false", "false", true),
            (OsType::Windows, "sts", "true", "false", true),
            (OsType::Windows, "sts", "true", "true", false),
            (OsType::Windows, "sts", "false", "false", false),
        ] {
            let mut config = config(&[
                ("BERTH_CREDENTIALS", source),
                ("BERTH_TASK_ADDRESS", address),
                ("BERTH_TASK_REDIRECT", redirect),
            ]);
            serve(os, &mut config);
            let endpoints = &config.engine.endpoints;
            assert!(endpoints.metadata);
            assert_eq!(
                endpoints.credentials, credentials,
                "{os:?} {source} {address} {redirect}"
            );
            assert!(config.engine.execution_roles || source == "off");
        }
    }

    #[test]
    fn words_name_the_address_and_what_may_help() {
        let error = ClaimError::Listen(TASK_SERVER, "address in use".to_owned());
        let words = "169.254.170.2:80 cannot be had (address in use): an agent that runs on this host has it, or root \
                     is needed; BERTH_TASK_ADDRESS=false says that none is wanted";
        assert_eq!(error.to_string(), words);
        let error = ClaimError::Address("denied".to_owned());
        assert_eq!(
            error.to_string(),
            "this host cannot be given 169.254.170.2 (denied)"
        );
    }
}
