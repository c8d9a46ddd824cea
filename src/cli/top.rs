//! `berth top`: tasks and what the host has left, again and again; once where nobody watches.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use console::Term;

use super::client::Client;
use super::exit;
use super::output::{Format, Output, clip, plain};
use super::ps::{PsArgs, family, lay_out, read, short_ids, status, why};
use crate::api::observe::resources::wire::{Amount, DiskUsage, Resources};
use crate::api::observe::task::wire::TaskSummary;
use crate::api::observe::usage::wire::{TaskUsage, Usage};
use crate::api::observe::why::human::bytes;

/// Lines of the heading and one to spare.
const HEADING: usize = 6;

/// Widest column of families; what is longer is clipped.
const WIDEST_FAMILY: usize = 16;

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
    if out.format() == Format::Json {
        let look = look(client).await?;
        out.json(&serde_json::json!({
            "resources": look.resources, "usage": look.usage, "tasks": look.tasks,
        }))?;
        return Ok(exit::OK);
    }
    let mut last = screen(client, out.width()).await?;
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

/// Everything that is shown.
#[derive(Debug)]
struct Look {
    resources: Resources,
    usage: Usage,
    tasks: Vec<TaskSummary>,
}

async fn look(client: &Client) -> anyhow::Result<Look> {
    Ok(Look {
        resources: client.get("/v1/resources").await?,
        usage: client.get("/v1/usage").await?,
        tasks: read(&PsArgs::default(), client).await?.tasks,
    })
}

async fn screen(client: &Client, width: usize) -> anyhow::Result<Vec<String>> {
    let look = look(client).await?;
    let mut lines = heading(&look.resources, &look.usage);
    lines.push(String::new());
    lines.extend(table(&look, width));
    Ok(lines)
}

/// Tasks with what they use now, those that use most CPU first.
fn table(look: &Look, width: usize) -> Vec<String> {
    let used: BTreeMap<&str, &TaskUsage> = look
        .usage
        .tasks
        .iter()
        .map(|usage| (usage.task_arn.as_str(), usage))
        .collect();
    let cpus = |task: &TaskSummary| {
        let usage = used.get(task.task_arn.as_str());
        usage.and_then(|usage| usage.rates).map(|rates| rates.cpus)
    };
    let mut tasks: Vec<(&TaskSummary, String)> =
        look.tasks.iter().zip(short_ids(&look.tasks)).collect();
    tasks.sort_by(|(a, _), (b, _)| cpus(b).partial_cmp(&cpus(a)).unwrap_or(Ordering::Equal));
    let heading = [
        "TASK", "FAMILY", "STATUS", "CPU%", "MEMORY", "NET IN", "NET OUT",
    ];
    let rows = tasks.iter().map(|(task, id)| {
        let usage = used.get(task.task_arn.as_str()).copied();
        let [cpu, memory, received, sent] = figures(usage);
        let family = clip(&family(task), WIDEST_FAMILY);
        [
            id.clone(),
            family,
            status(task),
            cpu,
            memory,
            received,
            sent,
        ]
    });
    let reasons = tasks.iter().map(|(task, _)| plain(why(task)));
    lay_out(heading.map(str::to_owned), rows, reasons, width)
}

/// CPU in percent of one, memory, received and sent in a second; `-` for what is not known.
fn figures(usage: Option<&TaskUsage>) -> [String; 4] {
    let none = || "-".to_owned();
    let memory = usage.filter(|usage| !usage.containers.is_empty());
    let memory = memory.map_or_else(none, |usage| bytes(usage.memory_bytes));
    let Some(rates) = usage.and_then(|usage| usage.rates) else {
        return [none(), memory, none(), none()];
    };
    let per_second = |rate: f64| format!("{}/s", bytes(whole(rate)));
    let percent = format!("{:.1}", rates.cpus * 100.0);
    [
        percent,
        memory,
        per_second(rates.rx_bytes),
        per_second(rates.tx_bytes),
    ]
}

/// A rate without its fraction.
fn whole(rate: f64) -> u64 {
    Duration::try_from_secs_f64(rate).map_or(0, |seconds| seconds.as_secs())
}

fn heading(resources: &Resources, usage: &Usage) -> Vec<String> {
    let cpu = share("CPU units", resources.cpu);
    let memory = share("MiB memory", resources.memory);
    let disk = resources.disk.as_ref().map(|disk| {
        let (free, total) = (bytes(disk.free_bytes), bytes(disk.total_bytes));
        format!(", disk {free} of {total} free")
    });
    let (holders, waiting) = (resources.holders.len(), resources.waiting.len());
    let busy = usage.host.as_ref().map(|host| {
        let used = host
            .memory_bytes
            .saturating_sub(host.memory_available_bytes);
        let (used, total) = (bytes(used), bytes(host.memory_bytes));
        let busy = host.busy_cpus.map_or_else(String::new, |busy| {
            format!("{busy:.1} of {} CPUs busy, ", host.cpus)
        });
        format!("host: {busy}{used} of {total} memory in use")
    });
    let mut lines = vec![
        format!("{cpu}, {memory}{}", disk.unwrap_or_default()),
        format!("{holders} tasks hold resources, {waiting} wait"),
    ];
    lines.extend(busy);
    let disk = resources.disk.as_ref();
    lines.extend(disk.and_then(|disk| disk.usage.as_ref()).map(disk_owners));
    lines
}

/// Who has the disk, when that was looked at last.
fn disk_owners(usage: &DiskUsage) -> String {
    let of_tasks = usage.tasks.iter();
    let of_tasks = of_tasks.map(|task| task.writable_bytes.saturating_add(task.volume_bytes));
    let of_tasks = of_tasks.fold(usage.shared_volume_bytes, u64::saturating_add);
    let others = usage.other_bytes;
    let others = others.saturating_add(usage.other_container_bytes);
    let others = others.saturating_add(usage.other_volume_bytes);
    format!(
        "disk in use: images {}, tasks {}, agent {}, others {}",
        bytes(usage.image_bytes),
        bytes(of_tasks),
        bytes(usage.agent_bytes),
        bytes(others),
    )
}

fn share(what: &str, amount: Amount) -> String {
    match amount.total {
        Some(total) => format!("{} of {total} {what}", amount.reserved),
        None => format!("{} {what}", amount.reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::observe::usage::wire::{ContainerUsage, HostUsage, UsageRates};
    use crate::api::wire::Time;
    use crate::cli::testing::summary;

    fn usage(id: &str, cpus: f64) -> TaskUsage {
        let task = summary(id, "RUNNING");
        TaskUsage {
            task_arn: task.task_arn,
            task_id: task.task_id,
            rates: Some(UsageRates {
                cpus,
                rx_bytes: 1_234.5,
                tx_bytes: 0.0,
                read_bytes: 0.0,
                written_bytes: 0.0,
            }),
            memory_bytes: 12_000_000,
            pids: 3,
            containers: vec![ContainerUsage {
                name: "app".to_owned(),
                read_at: None,
                rates: None,
                memory_bytes: 12_000_000,
                memory_limit_bytes: 64_000_000,
                pids: 3,
            }],
        }
    }

    #[test]
    fn tasks_that_use_most_come_first_and_every_line_fits() {
        let look = Look {
            resources: serde_json::from_value(serde_json::json!({
                "now": Time::default(), "cpu": {"total": 2048, "reserved": 512},
                "memory": {"reserved": 64}, "ports": {"keptForHost": [], "held": []},
                "holders": [], "waiting": [],
            }))
            .expect("resources"),
            usage: Usage {
                now: Time::default(),
                read_at: None,
                host: Some(HostUsage {
                    cpus: 2,
                    busy_cpus: Some(1.25),
                    memory_bytes: 8_000_000_000,
                    memory_available_bytes: 5_000_000_000,
                }),
                history: Vec::new(),
                tasks: vec![usage("quiet", 0.001), usage("busy", 1.5)],
            },
            tasks: vec![
                summary("quiet", "RUNNING"),
                summary("waits", "PENDING"),
                summary("busy", "RUNNING"),
            ],
        };
        let mut lines = heading(&look.resources, &look.usage);
        lines.extend(table(&look, 80));
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
        insta::assert_snapshot!(lines.join("\n"), @"
        512 of 2048 CPU units, 64 MiB memory
        0 tasks hold resources, 0 wait
        host: 1.2 of 2 CPUs busy, 3 GB of 8 GB memory in use
        TASK   FAMILY  STATUS   CPU%   MEMORY  NET IN    NET OUT  WHY
        busy   web:3   RUNNING  150.0  12 MB   1.2 kB/s  0 B/s    runs as asked
        quiet  web:3   RUNNING  0.1    12 MB   1.2 kB/s  0 B/s    runs as asked
        waits  web:3   PENDING  -      -       -         -        runs as asked
        ");
    }
}
