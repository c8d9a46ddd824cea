//! `berth host`: what the agent changes on this host, set up, shown and taken away.

use clap::{Args, Subcommand};

use super::exit;
use super::output::{Format, Output};
use crate::api::observe::probes::wire::CheckResult;
use crate::app::task_address::{held, release, set_up};
use crate::app::{metadata_barrier, task_lead, task_redirect, task_way};
use crate::config::Config;

/// Set up, show or take away what the agent changes on this host.
#[derive(Args, Clone, Debug)]
pub struct HostArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: HostAction,
}

/// What to do with the host.
#[derive(Subcommand, Clone, Copy, Debug)]
pub enum HostAction {
    /// Give this host the address at which containers reach the agent; the agent does so itself
    Setup,
    /// Take away the address and all rules, after the agent has been uninstalled: an agent that runs brings them back
    Clean,
    /// Say where the address is, and whether tasks are kept from the instance metadata service
    Status,
}

/// Does it, and says what is there now.
///
/// # Errors
/// If the host does not let itself be changed.
pub async fn run(action: HostAction, config: &Config, out: &mut Output) -> anyhow::Result<u8> {
    match action {
        HostAction::Setup => {
            set_up().await?;
            task_lead::set_up(config).await?;
        }
        HostAction::Clean => {
            // What cannot be taken away keeps nothing else here.
            let server = config.listen.task_server;
            let done = [
                task_lead::release().await,
                release().await,
                task_redirect::release(server).await,
                metadata_barrier::release().await,
            ];
            for result in done {
                result?;
            }
        }
        HostAction::Status => {}
    }
    let link = held().await?.map(|held| held.link);
    let barrier = metadata_barrier::is_up().await.ok();
    // A host that does not say has no rules of ours.
    let lead = task_lead::leads_to().await.unwrap_or(None);
    // Without the address nobody need listen there.
    let way = task_way::look(config, link.is_some()).await;
    let way = CheckResult::from(&way);
    if out.format() == Format::Json {
        out.json(&serde_json::json!({
            "taskAddress": { "address": "169.254.170.2", "link": link, "leadsTo": lead },
            "containers": way,
            "instanceMetadata": { "blocked": barrier },
        }))?;
    } else {
        let words = link.map_or_else(
            || "169.254.170.2 is not an address of this host".to_owned(),
            |link| format!("169.254.170.2 is an address of this host, on link {link}"),
        );
        out.line(&words)?;
        if let Some(port) = lead {
            out.line(&format!(
                "what is asked there at port 80 is led to port {port}"
            ))?;
        }
        if way.hint.is_some() {
            out.line(&format!("containers: {}", way.message))?;
        }
        if let Some(hint) = &way.hint {
            out.line(&format!("-> {hint}"))?;
        }
        out.line(match barrier {
            Some(true) => {
                "tasks with a network of their own do not reach the instance metadata service"
            }
            Some(false) => "nothing of this agent keeps tasks from the instance metadata service",
            None => "rules of nftables cannot be read here",
        })?;
    }
    Ok(exit::OK)
}
