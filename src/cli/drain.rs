//! `berth drain`: no new task starts on this instance, or they do again.

use std::time::Duration;

use clap::Args;
use hyper::Method;
use tokio::time::Instant;

use super::client::{Ask, Client, encode};
use super::exit;
use super::output::{Format, Output, plain};
use super::wait::WaitError;
use crate::api::observe::draining::wire::DrainState;

/// Between two looks: the answer comes from the agent's memory.
const INTERVAL: Duration = Duration::from_millis(500);

/// Start no new tasks on this instance; those that have started go on.
#[derive(Args, Clone, Debug)]
pub struct DrainArgs {
    /// Let tasks start again
    #[arg(long, conflicts_with_all = ["reason", "wait"])]
    pub undo: bool,
    /// Only say whether the instance drains
    #[arg(long, conflicts_with_all = ["undo", "reason", "wait"])]
    pub status: bool,
    /// Why, shown with tasks that wait
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Wait until every task that has started has stopped
    #[arg(long)]
    pub wait: bool,
    /// How long to wait, in seconds; the draining goes on all the same
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 3600,
        requires = "wait"
    )]
    pub timeout: u64,
}

/// Drains the instance, or ends that.
///
/// # Errors
/// If the agent cannot be asked, or the time is up.
pub async fn run(args: DrainArgs, client: &Client, out: &mut Output) -> anyhow::Result<u8> {
    let reason = args.reason.as_deref().map(encode);
    let reason = reason.map_or_else(String::new, |reason| format!("?reason={reason}"));
    let ask = match (args.status, args.undo) {
        (true, _) => Ask::new(Method::GET, "/v1/drain"),
        (false, true) => Ask::new(Method::DELETE, "/v1/drain"),
        (false, false) => Ask::new(Method::PUT, format!("/v1/drain{reason}")),
    };
    let mut state: DrainState = client.ask(ask).await?;
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    let mut told = None;
    while args.wait && state.draining && state.active_tasks > 0 {
        if told.replace(state.active_tasks) != Some(state.active_tasks) {
            out.note(&left(&state))?;
        }
        if Instant::now() >= deadline {
            let limit = Duration::from_secs(args.timeout);
            let waiting = vec![left(&state)];
            return Err(WaitError::TimedOut { limit, waiting }.into());
        }
        tokio::time::sleep(INTERVAL).await;
        state = client.get("/v1/drain").await?;
    }
    match out.format() {
        Format::Json => out.json(&state)?,
        Format::Text => {
            for line in lines(&state) {
                out.line(&line)?;
            }
        }
    }
    Ok(exit::OK)
}

fn lines(state: &DrainState) -> Vec<String> {
    if !state.draining {
        return vec!["the instance does not drain: new tasks start".to_owned()];
    }
    let why = state.reason.as_deref().map(plain);
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    let mut lines = vec![
        format!("the instance drains{why}"),
        "no new task starts; `berth drain --undo` ends that".to_owned(),
        left(state),
    ];
    if state.waiting_tasks > 0 {
        lines.push(format!("{} waiting to start", tasks(state.waiting_tasks)));
    }
    lines
}

fn left(state: &DrainState) -> String {
    match state.active_tasks {
        0 => "no task runs on it".to_owned(),
        1 => "1 task still runs on it".to_owned(),
        count => format!("{count} tasks still run on it"),
    }
}

fn tasks(count: usize) -> String {
    if count == 1 {
        "1 task is".to_owned()
    } else {
        format!("{count} tasks are")
    }
}
