//! `berth events`: the durable timeline, and its continuation.

use clap::Args;

use super::client::{Client, ClientError, encode};
use super::exit;
use super::output::{Format, Output, plain};
use super::select::select;
use super::why_text::event_words;
use crate::api::observe::events::wire::{EndReason, EventRecord, StreamEnd, StreamItem};

/// Show what happened, and what happens.
#[derive(Args, Clone, Debug, Default)]
pub struct EventsArgs {
    /// Only of this task: id, beginning of one id, ARN, or a family with one live task
    pub task: Option<String>,
    /// Go on with what comes; without TASK or --after only with that
    #[arg(long, short)]
    pub follow: bool,
    /// Begin after this sequence number
    #[arg(long, value_name = "SEQUENCE", value_parser = clap::value_parser!(i64).range(0..))]
    pub after: Option<i64>,
}

/// Prints events. With `--follow` it ends only with the agent or the reader of the output.
///
/// # Errors
/// If there is no such task, the agent cannot be asked or shuts down, or the reader of the output has gone away.
pub async fn run(args: EventsArgs, client: &Client, out: &mut Output) -> anyhow::Result<u8> {
    let task = match &args.task {
        Some(selector) => Some(select_or_past(client, selector).await?),
        None => None,
    };
    let mut after = match args.after {
        Some(sequence) => sequence.to_string(),
        None if args.follow && task.is_none() => "latest".to_owned(),
        None => "0".to_owned(),
    };
    loop {
        let path = path(task.as_deref(), &after, args.follow);
        let Some(end) = print(&path, client, out).await? else {
            return Ok(exit::OK);
        };
        match end.reason {
            // The log holds what was missed.
            EndReason::TooSlow | EndReason::Limit => after = end.resume_after.to_string(),
            EndReason::ShuttingDown => return Err(ClientError::ShuttingDown.into()),
            EndReason::StoreUnavailable => {
                out.note(&format!(
                    "{}; go on with --after {}",
                    end.message, end.resume_after
                ))?;
                return Ok(exit::UNAVAILABLE);
            }
        }
    }
}

/// What the stream is asked by: the ARN of a task that is there, else the text itself, for tasks that are not any more.
async fn select_or_past(client: &Client, selector: &str) -> anyhow::Result<String> {
    match select(client, selector).await {
        Ok(task) => Ok(task.task_arn),
        Err(error)
            if exit::code_of(&error) == exit::NOT_FOUND
                && error.is::<super::select::SelectorError>() =>
        {
            Ok(selector.to_owned())
        }
        Err(error) => Err(error),
    }
}

fn path(task: Option<&str>, after: &str, follow: bool) -> String {
    let task = task.map(|task| format!("&task={}", encode(task)));
    let task = task.unwrap_or_default();
    format!("/v1/events?after={after}&follow={follow}{task}")
}

/// Prints until the stream ends; how, if it was not complete.
async fn print(path: &str, client: &Client, out: &mut Output) -> anyhow::Result<Option<StreamEnd>> {
    let mut lines = client.lines(path).await?;
    while let Some(item) = lines.next().await? {
        match item {
            StreamItem::Event(event) if out.format() == Format::Json => out.json_line(&event)?,
            StreamItem::Event(event) => out.line(&line(&event))?,
            // Tasks are told only where a snapshot is asked for.
            StreamItem::Heartbeat | StreamItem::Task(_) | StreamItem::Sync(_) => {}
            StreamItem::End(end) => return Ok(Some(end)),
        }
    }
    Ok(None)
}

fn line(event: &EventRecord) -> String {
    let id = event.task_id.get(..8).unwrap_or(&event.task_id);
    plain(&format!("{}  {id}  {}", event.at, event_words(event)))
}
