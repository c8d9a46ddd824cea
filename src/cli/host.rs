//! `berth host`: what the agent changes on this host, set up, shown and taken away.

use clap::{Args, Subcommand};

use super::exit;
use super::output::{Format, Output};
use crate::app::task_address::{held, release, set_up};

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
    /// Take it away, after the agent has been uninstalled: an agent that runs brings it back
    Clean,
    /// Say where it is
    Status,
}

/// Does it, and says what is there now.
///
/// # Errors
/// If the host does not let itself be changed.
pub async fn run(action: HostAction, out: &mut Output) -> anyhow::Result<u8> {
    match action {
        HostAction::Setup => {
            set_up().await?;
        }
        HostAction::Clean => release().await?,
        HostAction::Status => {}
    }
    let link = held().await?.map(|held| held.link);
    if out.format() == Format::Json {
        out.json(
            &serde_json::json!({ "taskAddress": { "address": "169.254.170.2", "link": link } }),
        )?;
    } else {
        let words = link.map_or_else(
            || "169.254.170.2 is not an address of this host".to_owned(),
            |link| format!("169.254.170.2 is an address of this host, on link {link}"),
        );
        out.line(&words)?;
    }
    Ok(exit::OK)
}
