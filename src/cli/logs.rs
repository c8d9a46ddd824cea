//! `berth logs`: what a task's containers have written and write.

use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll, unfold};
use tokio::time::Instant;

use super::client::{Client, ClientError, encode};
use super::exit;
use super::lines::Lines;
use super::output::{Format, Output};
use super::select::select;
use crate::api::admin::logs::wire::{ContainerLine, LogItem, LogLine, LogStream, SHUTTING_DOWN};
use crate::api::observe::task::wire::TaskDetail;
use crate::api::problem::ProblemKind;
use crate::domain::ids::UnixMillis;

/// Show what a task's containers write.
#[derive(Args, Clone, Debug)]
pub struct LogsArgs {
    /// Task: id, beginning of one id, ARN, or a family with one live task
    pub task: String,
    /// Only this container; may be given several times
    #[arg(long, short, value_name = "NAME")]
    pub container: Vec<String>,
    /// Go on until the containers have stopped for good, over restarts by their policy and of the agent
    #[arg(long, short)]
    pub follow: bool,
    /// Only the last lines of each container
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub tail: Option<u32>,
}

/// How long an agent that ended in the middle is waited for.
const AWAY: Duration = Duration::from_mins(2);

/// How often it is looked for.
const RETRY: Duration = Duration::from_millis(250);

/// What is shown again when the agent is back: lines that were on their way may be lost otherwise.
const OVERLAP: Duration = Duration::from_secs(1);

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
        match open_one(client, path, number, args.follow).await {
            Ok(stream) => open.push(stream),
            // One that does not exist yet takes nothing from the others.
            Err(ClientError::Problem(problem)) if names.len() > 1 && is_missing(&problem.kind) => {
                let why = problem.detail.unwrap_or(problem.title);
                out.note(&format!("{name}: no output: {why}"))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let (mut whole, mut told) = (true, None);
    for mut streams in order(open, args.follow) {
        while let Some((number, item)) = streams.next().await {
            let of = |texts: &[String]| texts.get(number).cloned().unwrap_or_default();
            let (name, prefix) = (of(&names), of(&prefixes));
            match item? {
                Shown::Item(item) => whole &= print(out, &name, &prefix, item)?,
                // Each container's reader says so; once is enough.
                Shown::Note(note) if told == Some(note) => {}
                Shown::Note(note) => {
                    out.note(note)?;
                    told = Some(note);
                }
            }
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
type Numbered = BoxStream<'static, (usize, Result<Shown, ClientError>)>;

/// What is printed.
enum Shown {
    Item(LogItem),
    Note(&'static str),
}

/// The agent went away while its containers write on.
const GONE: &str = "the agent has ended; its containers write on, waiting for it to come back";

/// And it is back.
const BACK: &str = "the agent is back; lines of the last second may be shown twice";

/// The output of one container, over restarts of the agent if it is followed.
struct Reader {
    client: Client,
    path: String,
    follow: bool,
    lines: Option<Lines>,
    /// When the last line that was shown was written; `None` = none was.
    shown: Option<UnixMillis>,
    over: bool,
}

async fn open_one(
    client: &Client,
    path: String,
    number: usize,
    follow: bool,
) -> Result<Numbered, ClientError> {
    let reader = Reader {
        lines: Some(client.lines(&path).await?),
        client: client.clone(),
        path,
        follow,
        shown: None,
        over: false,
    };
    let items = unfold(reader, move |mut reader| async move {
        let item = reader.next().await.transpose()?;
        reader.over = item.is_err();
        Some(((number, item), reader))
    });
    Ok(items.boxed())
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Shown>, ClientError> {
        if self.over {
            return Ok(None);
        }
        let Some(lines) = &mut self.lines else {
            self.lines = Some(self.come_back().await?);
            return Ok(Some(Shown::Note(BACK)));
        };
        let item = match lines.next().await {
            Ok(Some(LogItem::End(end))) if self.follow && end.message == SHUTTING_DOWN => None,
            Ok(Some(item)) => Some(item),
            Ok(None) => return Ok(None),
            Err(ClientError::Broken { .. }) if self.follow => None,
            Err(error) => return Err(error),
        };
        Ok(Some(if let Some(item) = item {
            if let LogItem::Line(line) = &item {
                self.shown = line.at.map(|at| at.0).or(self.shown);
            }
            Shown::Item(item)
        } else {
            self.lines = None;
            Shown::Note(GONE)
        }))
    }

    /// Asks until the agent answers again, and goes on from what was shown last.
    async fn come_back(&self) -> Result<Lines, ClientError> {
        let path = match self.shown {
            None => self.path.clone(),
            Some(at) => {
                let since =
                    at.0.saturating_sub(i64::try_from(OVERLAP.as_millis()).unwrap_or(0));
                format!("{}&since={since}", without_tail(&self.path))
            }
        };
        let until = Instant::now() + AWAY;
        loop {
            match self.client.lines(&path).await {
                Ok(lines) => return Ok(lines),
                Err(error) if until <= Instant::now() || !may_come_back(&error) => {
                    return Err(error);
                }
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }
}

/// Whether an agent that is being started could answer otherwise.
fn may_come_back(error: &ClientError) -> bool {
    match error {
        ClientError::NoSocket(_)
        | ClientError::NobodyListens(_)
        | ClientError::Broken { .. }
        | ClientError::ShuttingDown => true,
        ClientError::Problem(problem) => [
            ProblemKind::Starting,
            ProblemKind::ShuttingDown,
            ProblemKind::RuntimeUnavailable,
            ProblemKind::ContainerNotCreated,
        ]
        .into_iter()
        .any(|kind| kind.urn() == problem.kind),
        ClientError::Denied(_)
        | ClientError::Connect { .. }
        | ClientError::Silent { .. }
        | ClientError::BadAnswer { .. }
        | ClientError::TooLarge { .. } => false,
    }
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
    let tail = args.tail.map(|tail| format!("{TAIL}{tail}"));
    let tail = tail.unwrap_or_default();
    format!("/v1/tasks/{arn}/containers/{name}/logs?follow={follow}{tail}")
}

/// Begins the last parameter of a path: how many lines.
const TAIL: &str = "&tail=";

/// The path for whoever has seen those lines.
fn without_tail(path: &str) -> &str {
    path.split_once(TAIL).map_or(path, |(before, _)| before)
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
fn print(out: &mut Output, name: &str, prefix: &str, item: LogItem) -> anyhow::Result<bool> {
    match item {
        LogItem::Heartbeat => {}
        LogItem::End(end) => {
            out.note(&format!("{prefix}{}", end.message))?;
            return Ok(false);
        }
        LogItem::Line(line) if out.format() == Format::Json => {
            let container = name;
            let line = &line;
            out.json_line(&ContainerLine { container, line })?;
        }
        LogItem::Line(LogLine {
            stream: LogStream::Stdout,
            text,
            ..
        }) => {
            out.line(&format!("{prefix}{text}"))?;
        }
        LogItem::Line(LogLine {
            stream: LogStream::Stderr,
            text,
            ..
        }) => {
            out.note(&format!("{prefix}{text}"))?;
        }
    }
    Ok(true)
}
