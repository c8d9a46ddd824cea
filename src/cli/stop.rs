//! `berth stop`: stop tasks and wait until they have.

use std::time::Duration;

use clap::Args;
use hyper::Method;

use super::client::{Ask, Client, encode};
use super::exit;
use super::output::{Format, Output};
use super::select::select;
use super::wait::{Goal, wait};
use crate::api::admin::tasks::wire::Accepted;

/// Stop tasks and wait until they have stopped.
#[derive(Args, Clone, Debug)]
pub struct StopArgs {
    /// Tasks: id, beginning of one id, ARN, or a family with one live task
    #[arg(required = true, value_name = "TASK")]
    pub tasks: Vec<String>,
    /// Why, shown with the stopped task
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Return as soon as the wish is durable
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait, in seconds; the stop goes on all the same
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub timeout: u64,
}

/// Stops the tasks.
///
/// # Errors
/// If a selector means no task (then none is stopped), the agent cannot be asked, or the time is up.
pub async fn run(args: StopArgs, client: &Client, out: &mut Output) -> anyhow::Result<u8> {
    // All are found before one is touched, so that a misspelt name changes nothing.
    let mut tasks = Vec::new();
    for selector in &args.tasks {
        tasks.push(select(client, selector).await?);
    }
    for task in &tasks {
        let reason = args
            .reason
            .as_deref()
            .map(|text| format!("?reason={}", encode(text)));
        let (arn, reason) = (encode(&task.task_arn), reason.unwrap_or_default());
        let ask = Ask::new(Method::POST, format!("/v1/tasks/{arn}/stop{reason}"));
        let accepted: Accepted = client.ask(ask).await?;
        if out.format() == Format::Json {
            out.json_line(&accepted)?;
        } else if args.no_wait {
            out.line(&format!("{}: stopping", accepted.task_id))?;
        }
    }
    if !args.no_wait {
        let limit = Duration::from_secs(args.timeout);
        wait(client, out, &tasks, Goal::Stopped, limit).await?;
    }
    Ok(exit::OK)
}
