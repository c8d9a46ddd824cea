//! Waiting until tasks have stopped or are gone, telling what holds them up meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::client::{Client, ClientError, encode};
use super::output::{Format, Output, plain};
use crate::api::observe::task::wire::{TaskDetail, TaskSummary};
use crate::api::problem::ProblemKind;

/// Between two looks: the answer comes from the agent's memory.
const INTERVAL: Duration = Duration::from_millis(200);

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Until it is `STOPPED`.
    Stopped,
    /// Until the agent knows it no more.
    Gone,
}

/// Why waiting or removing came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// The time is up; what was asked for goes on.
    #[error("not there after {} s: {}", .limit.as_secs(), .waiting.join("; "))]
    TimedOut {
        /// How long was waited.
        limit: Duration,
        /// What is missing, one line a task.
        waiting: Vec<String>,
    },
    /// Live tasks are not removed without being told so.
    #[error("not stopped yet, stop first or use --force: {}", .ids.join(", "))]
    Live {
        /// Their ids.
        ids: Vec<String>,
    },
}

/// Waits until every task has reached the goal. Tells each new reason of delay, and each arrival.
pub(super) async fn wait(
    client: &Client,
    out: &mut Output,
    tasks: &[TaskSummary],
    goal: Goal,
    limit: Duration,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + limit;
    let mut waiting: BTreeMap<String, String> = tasks
        .iter()
        .map(|task| (task.task_arn.clone(), String::new()))
        .collect();
    loop {
        let mut still = BTreeMap::new();
        for (arn, told) in waiting {
            match look(client, &arn, goal).await? {
                Look::There(line) if out.format() == Format::Text => out.line(&line)?,
                Look::There(line) => out.note(&line)?,
                Look::OnTheWay(line) => {
                    if line != told {
                        out.note(&line)?;
                    }
                    still.insert(arn, line);
                }
            }
        }
        waiting = still;
        if waiting.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let waiting = waiting.into_values().collect();
            return Err(WaitError::TimedOut { limit, waiting }.into());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

enum Look {
    There(String),
    OnTheWay(String),
}

async fn look(client: &Client, arn: &str, goal: Goal) -> Result<Look, ClientError> {
    let id = arn.rsplit('/').next().unwrap_or(arn);
    let found: Result<TaskDetail, _> = client.get(&format!("/v1/tasks/{}", encode(arn))).await;
    Ok(match found {
        Ok(task) => {
            let line = format!("{id}: {}", plain(&task.summary.why));
            if goal == Goal::Stopped && task.summary.status == "STOPPED" {
                Look::There(line)
            } else {
                Look::OnTheWay(line)
            }
        }
        Err(ClientError::Problem(problem)) if problem.kind == ProblemKind::TaskNotFound.urn() => {
            Look::There(format!("{id}: removed"))
        }
        Err(error) => return Err(error),
    })
}
