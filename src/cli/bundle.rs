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
use hyper::Method;
use serde_json::json;

use super::check_config::check_config;
use super::client::{Ask, Client};
use super::doctor::checks;
use super::exit;
use super::output::Output;
use crate::api::observe::probes::wire::CheckResult;
use crate::app::place::{data_dir_of, new_private_file};
use crate::config::Config;

/// What the agent is asked for, and the name of the answer in the archive.
const QUESTIONS: &[(&str, &str)] = &[
    ("/v1/health", "agent/health.json"),
    ("/v1/tasks", "agent/tasks.json"),
    ("/v1/why", "agent/why.json"),
    ("/v1/resources", "agent/resources.json"),
    ("/v1/images", "agent/images.json"),
    ("/v1/files", "agent/files.json"),
    ("/v1/config", "agent/config.json"),
    ("/v1/events?limit=20000", "agent/events.ndjson"),
    ("/metrics", "agent/metrics.txt"),
];

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
    let file = new_private_file(&args.output)
        .with_context(|| format!("make {}", args.output.display()))?;
    write(file, &parts)?;
    let missing = parts.missing.len();
    out.line(&format!(
        "{}: {} files, {missing} could not be had",
        args.output.display(),
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

async fn collect(config: &Config, client: &Client) -> Parts {
    let mut parts = Parts::default();
    for (path, name) in QUESTIONS {
        match client.bytes(Ask::new(Method::GET, *path)).await {
            Ok(body) => parts.files.push(((*name).to_owned(), body.to_vec())),
            Err(error) => parts.missing.push(format!("{name}: {error}")),
        }
    }
    let results = checks(config, client).await;
    let results: Vec<CheckResult> = results.iter().map(Into::into).collect();
    let doctor = json!(results).to_string().into_bytes();
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
