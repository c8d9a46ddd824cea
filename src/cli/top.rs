//! `berth top`: tasks and what the host has left, again and again; once where nobody watches.

use std::time::Duration;

use clap::Args;
use console::Term;

use super::client::Client;
use super::exit;
use super::output::{Format, Output};
use super::ps::{PsArgs, read, table};
use crate::api::observe::resources::wire::{Amount, Resources};
use crate::api::observe::why::human::bytes;

/// Lines of the heading and one to spare.
const HEADING: usize = 4;

/// Show tasks and resources live.
#[derive(Args, Clone, Debug)]
pub struct TopArgs {
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub interval: u64,
    /// Look once, as where standard output is no terminal
    #[arg(long)]
    pub once: bool,
}

/// Shows until interrupted, or once.
///
/// # Errors
/// If the agent cannot be asked at first, or the reader of the output has gone away.
pub async fn run(args: TopArgs, client: &Client, out: &mut Output) -> anyhow::Result<u8> {
    let term = Term::stdout();
    let live = !args.once && term.is_term() && out.format() == Format::Text;
    let mut last = screen(client, out.width()).await?;
    if out.format() == Format::Json {
        let resources: Resources = client.get("/v1/resources").await?;
        out.json(&resources)?;
        return Ok(exit::OK);
    }
    loop {
        if live {
            term.clear_screen()?;
            // Lines that do not fit would scroll the heading away.
            last.truncate(usize::from(term.size().0).saturating_sub(1).max(HEADING));
        }
        for line in &last {
            out.line(line)?;
        }
        if !live {
            return Ok(exit::OK);
        }
        tokio::time::sleep(Duration::from_secs(args.interval)).await;
        // An agent that is being restarted comes back: its absence is shown, not the end.
        last = screen(client, out.width())
            .await
            .unwrap_or_else(|error| vec![format!("{error:#}")]);
    }
}

async fn screen(client: &Client, width: usize) -> anyhow::Result<Vec<String>> {
    let resources: Resources = client.get("/v1/resources").await?;
    let tasks = read(&PsArgs::default(), client).await?;
    let mut lines = heading(&resources);
    lines.push(String::new());
    lines.extend(table(&tasks, width));
    Ok(lines)
}

fn heading(resources: &Resources) -> Vec<String> {
    let cpu = share("CPU units", resources.cpu);
    let memory = share("MiB memory", resources.memory);
    let disk = resources.disk.as_ref().map(|disk| {
        let (free, total) = (bytes(disk.free_bytes), bytes(disk.total_bytes));
        format!(", disk {free} of {total} free")
    });
    let (holders, waiting) = (resources.holders.len(), resources.waiting.len());
    vec![
        format!("{cpu}, {memory}{}", disk.unwrap_or_default()),
        format!("{holders} tasks hold resources, {waiting} wait"),
    ]
}

fn share(what: &str, amount: Amount) -> String {
    match amount.total {
        Some(total) => format!("{} of {total} {what}", amount.reserved),
        None => format!("{} {what}", amount.reserved),
    }
}
