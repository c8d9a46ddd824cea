//! `berth logs`: what a task's containers have written and write.

use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll, unfold};

use super::client::{Client, ClientError, encode};
use super::exit;
use super::output::{Format, Output};
use super::select::select;
use crate::api::admin::logs::wire::{LogItem, LogLine, LogStream};
use crate::api::observe::task::wire::TaskDetail;
use crate::api::problem::ProblemKind;

/// Show what a task's containers write.
#[derive(Args, Clone, Debug)]
pub struct LogsArgs {
    /// Task: id, beginning of one id, ARN, or a family with one live task
    pub task: String,
    /// Only this container; may be given several times
    #[arg(long, short, value_name = "NAME")]
    pub container: Vec<String>,
    /// Go on while the containers run
    #[arg(long, short)]
    pub follow: bool,
    /// Only the last lines of each container
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub tail: Option<u32>,
}

/// Prints lines: standard output to standard output, standard error to standard error, each with the container's name
/// before it where there are several.
///
/// # Errors
/// If there is no such task or container, the agent cannot be asked, or the reader of the output has gone away.
pub async fn run(args: LogsArgs, client: &Client, out: &mut Output) -> anyhow::Result<u8> {
    let task = select(client, &args.task).await?;
    let names = names(&args, client, &task.task_arn).await?;
    let prefixes = prefixes(&names, out);
    let mut open = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let path = path(&task.task_arn, name, &args);
        match open_one(client, &path, number).await {
            Ok(stream) => open.push(stream),
            // One that does not exist yet takes nothing from the others.
            Err(ClientError::Problem(problem)) if names.len() > 1 && is_missing(&problem.kind) => {
                let why = problem.detail.unwrap_or(problem.title);
                out.note(&format!("{name}: no output: {why}"))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let mut whole = true;
    for mut streams in order(open, args.follow) {
        while let Some((number, item)) = streams.next().await {
            let prefix = prefixes.get(number).map(String::as_str).unwrap_or_default();
            whole &= print(out, prefix, item?)?;
        }
    }
    Ok(if whole { exit::OK } else { exit::UNAVAILABLE })
}

/// All at once to follow; one after the other to read.
fn order(open: Vec<Numbered>, follow: bool) -> Vec<SelectAll<Numbered>> {
    if follow {
        vec![SelectAll::from_iter(open)]
    } else {
        open.into_iter()
            .map(|one| SelectAll::from_iter([one]))
            .collect()
    }
}

/// Items with the number of their container.
type Numbered = BoxStream<'static, (usize, Result<LogItem, ClientError>)>;

async fn open_one(client: &Client, path: &str, number: usize) -> Result<Numbered, ClientError> {
    let lines = client.lines(path).await?;
    let items = unfold(Some(lines), move |lines| async move {
        let mut lines = lines?;
        match lines.next().await {
            Ok(Some(item)) => Some(((number, Ok(item)), Some(lines))),
            Ok(None) => None,
            Err(error) => Some(((number, Err(error)), None)),
        }
    });
    Ok(items.boxed())
}

/// The containers asked for; without any, those of the definition.
async fn names(args: &LogsArgs, client: &Client, arn: &str) -> Result<Vec<String>, ClientError> {
    if !args.container.is_empty() {
        return Ok(args.container.clone());
    }
    let detail: TaskDetail = client.get(&format!("/v1/tasks/{}", encode(arn))).await?;
    let defined = detail
        .containers
        .into_iter()
        .filter(|container| container.image.is_some());
    Ok(defined.map(|container| container.name).collect())
}

/// `app | ` of equal width, coloured by number; nothing for a single container.
fn prefixes(names: &[String], out: &Output) -> Vec<String> {
    if names.len() < 2 {
        return vec![String::new(); names.len()];
    }
    let width = names.iter().map(String::len).max().unwrap_or_default();
    let numbered = names.iter().enumerate();
    numbered
        .map(|(number, name)| out.prefix(number, &format!("{name:width$} | ")))
        .collect()
}

fn path(arn: &str, name: &str, args: &LogsArgs) -> String {
    let (arn, name, follow) = (encode(arn), encode(name), args.follow);
    let tail = args.tail.map(|tail| format!("&tail={tail}"));
    let tail = tail.unwrap_or_default();
    format!("/v1/tasks/{arn}/containers/{name}/logs?follow={follow}{tail}")
}

fn is_missing(urn: &str) -> bool {
    [
        ProblemKind::ContainerNotCreated,
        ProblemKind::ContainerNotFound,
    ]
    .into_iter()
    .any(|kind| kind.urn() == urn)
}

/// Prints an item; false if it says that the output ends early.
fn print(out: &mut Output, prefix: &str, item: LogItem) -> anyhow::Result<bool> {
    match item {
        LogItem::Heartbeat => {}
        LogItem::End(end) => {
            out.note(&format!("{prefix}{}", end.message))?;
            return Ok(false);
        }
        LogItem::Line(line) if out.format() == Format::Json => out.json_line(&line)?,
        LogItem::Line(LogLine {
            stream: LogStream::Stdout,
            text,
        }) => {
            out.line(&format!("{prefix}{text}"))?;
        }
        LogItem::Line(LogLine {
            stream: LogStream::Stderr,
            text,
        }) => {
            out.note(&format!("{prefix}{text}"))?;
        }
    }
    Ok(true)
}
