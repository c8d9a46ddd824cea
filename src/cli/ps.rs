//! `berth ps`: the tasks of this host, one a line.

use std::collections::BTreeSet;

use clap::Args;

use super::client::{Client, encode};
use super::exit;
use super::files;
use super::output::{Format, Output, clip, plain};
use crate::api::observe::task::wire::{Port, TaskList, TaskSummary};
use crate::api::observe::why::human::short_span;

/// Shortest id shown.
const SHORTEST_ID: usize = 8;

/// Widest column of families and of ports; what is longer is clipped.
const WIDEST: usize = 20;

/// Narrowest column of reasons, also on a narrow terminal.
const NARROWEST_WHY: usize = 16;

/// Pages read at most: ten thousand tasks are far more than a host has.
const MAX_PAGES: usize = 10;

/// List tasks.
#[derive(Args, Clone, Debug, Default)]
pub struct PsArgs {
    /// Only tasks in this status: PENDING, CREATED, RUNNING or STOPPED
    #[arg(long, value_name = "STATUS", ignore_case = true, value_parser = ["PENDING", "CREATED", "RUNNING", "STOPPED"])]
    pub status: Option<String>,
    /// Only tasks of this family
    #[arg(long, value_name = "FAMILY")]
    pub family: Option<String>,
    /// Print full task ids only
    #[arg(long, short)]
    pub quiet: bool,
}

/// Prints the table.
///
/// # Errors
/// If the agent cannot be asked or the reader of the output has gone away.
pub async fn run(args: PsArgs, client: &Client, out: &mut Output) -> anyhow::Result<u8> {
    let list = read(&args, client).await?;
    if out.format() == Format::Json {
        out.json(&list)?;
    } else if args.quiet {
        for task in &list.tasks {
            out.line(&task.task_id)?;
        }
    } else {
        let mut lines = table(&list, out.width()).into_iter();
        if let Some(heading) = lines.next() {
            out.line(&out.bold(&heading))?;
        }
        for line in lines {
            out.line(&line)?;
        }
        for problem in files::problems(client, out.width()).await {
            out.note(&problem)?;
        }
    }
    Ok(exit::OK)
}

/// Every task that `args` asks for.
pub(super) async fn read(args: &PsArgs, client: &Client) -> anyhow::Result<TaskList> {
    let mut query = Vec::new();
    if let Some(status) = &args.status {
        query.push(format!("status={}", encode(&status.to_uppercase())));
    }
    if let Some(family) = &args.family {
        query.push(format!("family={}", encode(family)));
    }
    let first = format!("/v1/tasks?{}", query.join("&"));
    let mut all: TaskList = client.get(&first).await?;
    for _ in 1..MAX_PAGES {
        let Some(after) = all.next.take() else {
            break;
        };
        let more: TaskList = client
            .get(&format!("{first}&after={}", encode(&after)))
            .await?;
        all.tasks.extend(more.tasks);
        all.next = more.next;
    }
    Ok(all)
}

/// The lines of the table, the heading first, each of at most `width` columns unless that is too few.
pub(super) fn table(list: &TaskList, width: usize) -> Vec<String> {
    let heading = ["TASK", "FAMILY", "STATUS", "AGE", "PORTS"].map(str::to_owned);
    let rows = list.tasks.iter().zip(short_ids(&list.tasks));
    let rows = rows.map(|(task, id)| {
        let age = short_span(list.now.0.since(task.arrived_at.0));
        [
            id,
            clip(&family(task), WIDEST),
            status(task),
            age,
            ports(&task.ports),
        ]
    });
    let reasons = list.tasks.iter().map(|task| plain(why(task)));
    lay_out(heading, rows, reasons, width)
}

/// A table whose last column takes what is left of the width.
pub(super) fn lay_out<const N: usize>(
    heading: [String; N],
    rows: impl Iterator<Item = [String; N]>,
    reasons: impl Iterator<Item = String>,
    width: usize,
) -> Vec<String> {
    let reasons: Vec<String> = std::iter::once("WHY".to_owned()).chain(reasons).collect();
    let cells: Vec<[String; N]> = std::iter::once(heading).chain(rows).collect();
    let mut widths = [0; N];
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let fixed: usize = widths.iter().map(|column| column + 2).sum();
    let why_width = width.saturating_sub(fixed).max(NARROWEST_WHY);
    let lines = cells.iter().zip(&reasons).map(|(row, why)| {
        let padded = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}  "));
        padded.chain([clip(why, why_width)]).collect()
    });
    lines.collect()
}

/// `web:3`; without a revision the family alone.
pub(super) fn family(task: &TaskSummary) -> String {
    match task.revision {
        0 => task.family.clone(),
        revision => format!("{}:{revision}", task.family),
    }
}

/// The status, or `STOPPING` on the way to `STOPPED`.
pub(super) fn status(task: &TaskSummary) -> String {
    if task.desired_status == "STOPPED" && task.status != "STOPPED" {
        "STOPPING".to_owned()
    } else {
        task.status.clone()
    }
}

/// Why it is so; of one that has ended by itself first how: what stands before that, the column of the status says too,
/// and a narrow terminal would show nothing else.
pub(super) fn why(task: &TaskSummary) -> &str {
    let end = task.end.as_ref();
    let exit = end.and_then(|end| Some((end.container.as_ref()?, end.exit_code?)));
    let said = exit.map(|(name, code)| format!("{name} exited with code {code}"));
    let from = said.and_then(|said| task.why.find(&said));
    from.and_then(|from| task.why.get(from..))
        .unwrap_or(&task.why)
}

/// `8080->80`, `127.0.0.1:53->53/udp`: addresses only where a port is not open to all, each port once.
fn ports(ports: &[Port]) -> String {
    let short = |port: &Port| {
        let address = match port.bind_ip.as_str() {
            "" | "0.0.0.0" | "::" => String::new(),
            ip if ip.contains(':') => format!("[{ip}]:"),
            ip => format!("{ip}:"),
        };
        let protocol = match port.protocol.as_str() {
            "tcp" => String::new(),
            other => format!("/{other}"),
        };
        format!(
            "{address}{}->{}{protocol}",
            port.host_port, port.container_port
        )
    };
    let shown: BTreeSet<String> = ports.iter().map(short).collect();
    let shown: Vec<String> = shown.into_iter().collect();
    match shown.join(",") {
        none if none.is_empty() => "-".to_owned(),
        some => clip(&some, WIDEST),
    }
}

/// Beginnings of the ids, as short as they can be told apart and no shorter than eight.
pub(super) fn short_ids(tasks: &[TaskSummary]) -> Vec<String> {
    let ids: BTreeSet<&str> = tasks.iter().map(|task| task.task_id.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let shared = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let longest_shared = ids
        .iter()
        .zip(ids.iter().skip(1))
        .map(|(a, b)| shared(a, b))
        .max();
    let length = longest_shared
        .map_or(0, |shared| shared + 1)
        .max(SHORTEST_ID);
    let short = |task: &TaskSummary| {
        // Ids are ASCII; one shorter than that is shown whole.
        task.task_id
            .get(..length)
            .unwrap_or(&task.task_id)
            .to_owned()
    };
    tasks.iter().map(short).collect()
}
