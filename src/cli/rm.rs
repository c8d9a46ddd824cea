//! `berth rm`: remove tasks and everything of them.

use std::time::Duration;

use clap::Args;
use hyper::Method;

use super::client::{Ask, Client, encode};
use super::exit;
use super::output::{Format, Output};
use super::ps::{PsArgs, read};
use super::select::select;
use super::wait::{Goal, WaitError, wait};
use crate::api::admin::tasks::wire::Accepted;
use crate::api::observe::task::wire::TaskSummary;

/// Remove tasks and everything of them.
#[derive(Args, Clone, Debug)]
pub struct RmArgs {
    /// Tasks: id, beginning of one id, ARN, or a family with one live task
    #[arg(required_unless_present = "stopped", value_name = "TASK")]
    pub tasks: Vec<String>,
    /// Every task that has stopped
    #[arg(long, conflicts_with = "tasks")]
    pub stopped: bool,
    /// Stop tasks first that have not stopped
    #[arg(long)]
    pub force: bool,
    /// Return as soon as the wish is durable
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait, in seconds; the removal goes on all the same
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub timeout: u64,
}

/// Removes the tasks.
///
/// # Errors
/// If a selector means no task or one that has not stopped (then none is removed), the agent cannot be asked, or the
/// time is up.
pub async fn run(args: RmArgs, client: &Client, out: &mut Output) -> anyhow::Result<u8> {
    let tasks = chosen(&args, client).await?;
    if !args.force {
        refuse_live(&tasks)?;
    }
    for task in &tasks {
        let path = format!("/v1/tasks/{}", encode(&task.task_arn));
        let accepted: Accepted = client.ask(Ask::new(Method::DELETE, path)).await?;
        if out.format() == Format::Json {
            out.json_line(&accepted)?;
        } else if args.no_wait {
            out.line(&format!("{}: being removed", accepted.task_id))?;
        }
    }
    if !args.no_wait {
        let limit = Duration::from_secs(args.timeout);
        wait(client, out, &tasks, Goal::Gone, limit).await?;
    }
    Ok(exit::OK)
}

async fn chosen(args: &RmArgs, client: &Client) -> anyhow::Result<Vec<TaskSummary>> {
    if args.stopped {
        let stopped = PsArgs {
            status: Some("STOPPED".to_owned()),
            ..PsArgs::default()
        };
        return Ok(read(&stopped, client).await?.tasks);
    }
    let mut tasks = Vec::new();
    for selector in &args.tasks {
        tasks.push(select(client, selector).await?);
    }
    Ok(tasks)
}

fn refuse_live(tasks: &[TaskSummary]) -> Result<(), WaitError> {
    let live = tasks.iter().filter(|task| task.status != "STOPPED");
    let ids: Vec<String> = live.map(|task| task.task_id.clone()).collect();
    if ids.is_empty() {
        Ok(())
    } else {
        Err(WaitError::Live { ids })
    }
}
