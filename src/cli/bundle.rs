//! `berth bundle`: everything that helps to find out what is wrong, in one file, without secrets.
//!
//! **Invariants.** Made from what the agent's API answers, which never holds an environment value, and from looks at
//! the host; so it can be made while Docker, the agent or both are dead: what cannot be had is a line in the manifest.
//! Files of the state directory are listed and never copied: definitions lie in them whole.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::check_config::check_config;
use super::client::{Client, ClientError};
use super::doctor::checks;
use super::exit;
use super::output::Output;
use crate::app::place::{data_dir_of, new_private_file};
use crate::config::Config;

/// What the agent is asked for, and the name of the answer in the archive.
const QUESTIONS: &[(&str, &str)] = &[
    ("/v1/health", "agent/health.json"),
    ("/healthz", "agent/healthz.json"),
    ("/readyz", "agent/readyz.json"),
    ("/v1/drain", "agent/drain.json"),
    ("/v1/usage", "agent/usage.json"),
    ("/v1/tasks", "agent/tasks.json"),
    ("/v1/why", "agent/why.json"),
    ("/v1/resources", "agent/resources.json"),
    ("/v1/images", "agent/images.json"),
    ("/v1/files", "agent/files.json"),
    ("/v1/config", "agent/config.json"),
    ("/metrics", "agent/metrics.txt"),
];

/// Every task as it is, and the place of the event log that this stands for.
const NOW: &str = "/v1/events?snapshot=true";

/// Where events are in the archive.
const EVENTS: &str = "agent/events.ndjson";

/// Events that are taken, the newest: of 200 bytes, a tenth of that compressed.
const MOST_EVENTS: i64 = 20_000;

/// Write a support archive.
#[derive(Args, Clone, Debug)]
pub struct BundleArgs {
    /// File to write; it must not be there yet
    #[arg(
        long,
        short,
        value_name = "FILE",
        default_value = "berth-bundle.tar.gz"
    )]
    pub output: PathBuf,
}

/// Collects and writes.
///
/// # Errors
/// If the file cannot be written.
pub async fn run(
    args: BundleArgs,
    config: &Config,
    client: &Client,
    out: &mut Output,
) -> anyhow::Result<u8> {
    let parts = collect(config, client).await;
    let output = args.output.display();
    let file = new_private_file(&args.output).with_context(|| {
        format!("cannot make {output}, which must not be there yet (--output names another)")
    })?;
    write(file, &parts)?;
    let missing = parts.missing.len();
    out.line(&format!(
        "{output}: {} files, {missing} could not be had",
        parts.files.len()
    ))?;
    for line in &parts.missing {
        out.note(line)?;
    }
    Ok(exit::OK)
}

#[derive(Debug, Default)]
struct Parts {
    files: Vec<(String, Vec<u8>)>,
    missing: Vec<String>,
}

impl Parts {
    fn take(&mut self, name: &str, answer: Result<Vec<u8>, ClientError>) {
        match answer {
            Ok(body) => self.files.push((name.to_owned(), body)),
            Err(error) => self.missing.push(format!("{name}: {error}")),
        }
    }
}

async fn answer(client: &Client, path: &str) -> Result<Vec<u8>, ClientError> {
    let body = client.probe(path).await?;
    Ok(body.to_vec())
}

/// How the newest events are asked for, of an answer that says which place the log has come to: it is read oldest first.
fn newest_events(now: &[u8]) -> String {
    let items = now.split(|byte| *byte == b'\n');
    let items = items.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
    let place = items
        .filter(|item| item.get("type").is_some_and(|kind| kind == "sync"))
        .find_map(|item| item.get("sequence")?.as_i64());
    let after = place.unwrap_or(0).saturating_sub(MOST_EVENTS).max(0);
    // Those that happen meanwhile are welcome too, within bounds.
    let limit = MOST_EVENTS.saturating_mul(2);
    format!("/v1/events?after={after}&limit={limit}")
}

async fn collect(config: &Config, client: &Client) -> Parts {
    let mut parts = Parts::default();
    for (path, name) in QUESTIONS {
        parts.take(name, answer(client, path).await);
    }
    let events = match answer(client, NOW).await {
        Ok(now) => answer(client, &newest_events(&now)).await,
        Err(error) => Err(error),
    };
    parts.take(EVENTS, events);
    let doctor = json!(checks(config, client).await).to_string().into_bytes();
    parts.files.push(("host/doctor.json".to_owned(), doctor));
    let mut settings = Vec::new();
    match check_config(config, true, &mut settings) {
        Ok(()) => parts
            .files
            .push(("host/settings.json".to_owned(), settings)),
        Err(error) => parts.missing.push(format!("host/settings.json: {error}")),
    }
    match listing(&data_dir_of(config)) {
        Ok(text) => parts
            .files
            .push(("host/state-directory.txt".to_owned(), text.into_bytes())),
        Err(error) => parts
            .missing
            .push(format!("host/state-directory.txt: {error}")),
    }
    let manifest = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "files": parts.files.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "missing": parts.missing,
    });
    let manifest = format!("{manifest:#}\n").into_bytes();
    parts
        .files
        .insert(0, ("manifest.json".to_owned(), manifest));
    parts
}

/// Names and sizes; contents stay where they are.
fn listing(dir: &Path) -> io::Result<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let size = entry.metadata()?.len();
        lines.push(format!(
            "{size:>12}  {}\n",
            entry.file_name().to_string_lossy()
        ));
    }
    lines.sort();
    Ok(lines.concat())
}

fn write(file: std::fs::File, parts: &Parts) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for (name, content) in &parts.files {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(content.len()).unwrap_or(u64::MAX));
        header.set_mode(0o600);
        archive.append_data(
            &mut header,
            format!("berth-bundle/{name}"),
            content.as_slice(),
        )?;
    }
    archive.into_inner()?.finish()?.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::Agent;
    use crate::reconcile::snapshot::Snapshot;

    #[tokio::test]
    async fn what_an_agent_that_is_not_well_says_of_itself_is_taken() {
        let agent = Agent::start(Snapshot::default()).await;
        for path in ["/healthz", "/readyz"] {
            let body = answer(&agent.client, path).await.expect("its words");
            let words = String::from_utf8(body).expect("text");
            assert!(words.contains("Docker has not answered yet"), "{words}");
        }
        let refused = answer(&agent.client, "/healthz?nonsense=1").await;
        let refused = refused.expect_err("a refusal").to_string();
        assert!(refused.contains("nonsense"), "{refused}");
    }

    #[test]
    fn events_are_asked_for_from_where_the_newest_begin() {
        for (now, after) in [
            (
                "{\"type\":\"task\",\"sequence\":9}\n{\"type\":\"sync\",\"sequence\":50000}\n",
                30_000,
            ),
            ("{\"type\":\"sync\",\"sequence\":7}\n", 0),
            ("damaged\n", 0),
            ("", 0),
        ] {
            let expected = format!("/v1/events?after={after}&limit=40000");
            assert_eq!(newest_events(now.as_bytes()), expected, "{now}");
        }
    }
}
