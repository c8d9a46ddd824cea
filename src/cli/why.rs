//! `berth why`: what a task waits for, or what all that wait do.

use clap::Args;

use super::client::{Client, encode};
use super::exit;
use super::files;
use super::output::{Format, Output};
use super::select::select;
use super::why_text;
use crate::api::observe::why::wire::{WhyAnswer, WhyList};

/// Explain why a task is where it is.
#[derive(Args, Clone, Debug)]
pub struct WhyArgs {
    /// Task: id, beginning of one id, ARN, or a family with one live task; all that wait if absent
    pub task: Option<String>,
    /// Entries of the timeline
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=500))]
    pub events: u32,
}

/// Prints the explanation.
///
/// # Errors
/// If there is no such task, the agent cannot be asked, or the reader of the output has gone away.
pub async fn run(args: WhyArgs, client: &Client, out: &mut Output) -> anyhow::Result<u8> {
    let lines = if let Some(selector) = &args.task {
        let task = select(client, selector).await?;
        let path = format!(
            "/v1/tasks/{}/why?events={}",
            encode(&task.task_arn),
            args.events
        );
        let answer: WhyAnswer = client.get(&path).await?;
        if out.format() == Format::Json {
            out.json(&answer)?;
            return Ok(exit::OK);
        }
        why_text::one(&answer, out.width())
    } else {
        let list: WhyList = client.get("/v1/why").await?;
        if out.format() == Format::Json {
            out.json(&list)?;
            return Ok(exit::OK);
        }
        let mut lines = why_text::all(&list, out.width());
        lines.extend(files::problems(client, out.width()).await);
        lines
    };
    for line in lines {
        out.line(&line)?;
    }
    Ok(exit::OK)
}
