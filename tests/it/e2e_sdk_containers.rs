//! Real SDKs in containers of tasks, which ask the agent at its address as they do in ECS: who they are is what STS says.
//!
//! The image is made of this host's Python with boto3, of this test program with the Rust SDK, and of a program with the
//! SDK for Go that is built of Debian's packages.
#![cfg(feature = "e2e")]

use std::path::Path;
use std::time::Duration;

use berth::boundary::ImageRuntime as _;
use berth::platform::command::Command;
use serde_json::{Value, json};

use super::e2e_sdk::{BY_CLOCK, STS_FOR_CHILD};
use super::support::agent::{Agent, Site, with_site};
use super::support::http::{DOCKER_SOCKET, request};
use super::support::moto::{Moto, python};
use super::support::view::eventually;

/// Far above what the tools take.
const LIMIT: Duration = Duration::from_mins(5);

const ROLE: &str = "arn:aws:iam::123456789012:role/web";

/// This host's address on Docker's bridge, where its containers reach it; `None` without one.
async fn bridge_address() -> Option<String> {
    let show = Command::new("ip", LIMIT).args(["-4", "-o", "addr", "show", "docker0"]);
    let shown = show.run().await.ok()?;
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let (_, rest) = text.split_once("inet ")?;
    Some(rest.split('/').next()?.to_owned())
}

/// From now on the site's image has the SDKs; `None`, said on standard error, where they are not installed.
async fn with_sdks(site: &mut Site) -> Option<()> {
    let python = python("python")?;
    if Command::new("go", LIMIT)
        .args(["version"])
        .run()
        .await
        .is_err()
    {
        berth::testing::skip::skipped("there is no Go here; `make setup` installs it");
        return None;
    }
    let (docker, _) = super::support::docker::docker().await?;
    let program = std::env::current_exe().expect("a path");
    let small = site.path("program");
    let strip =
        Command::new("strip", LIMIT).args([Path::new("-o"), small.as_path(), program.as_path()]);
    let program = if strip.run().await.is_ok() {
        small
    } else {
        program
    };
    let image = site.image.replace("busybox", "sdks");
    let archive = site.path("image.tar");
    let pack = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/pack.py");
    let pack = Command::new(python, LIMIT)
        .args([pack, image.as_str()])
        .args([archive.as_path(), program.as_path()]);
    pack.run().await.expect("an image");
    let archive = std::fs::read(archive).expect("an archive");
    docker.load_image(archive).await.expect("a load");
    let path = format!("/images/{}?force=true", site.image);
    request(DOCKER_SOCKET, "DELETE", &path).await.ok();
    site.image = image;
    Some(())
}

/// A task with a role whose one container runs that.
async fn run(site: &Site, agent: &Agent, name: &str, command: &[&str], env: &[(&str, &str)]) {
    let mut definition = site.one(name, "");
    let container = &mut definition["containerDefinitions"][0];
    container["command"] = json!(command);
    container["memory"] = json!(256);
    let variables = env
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value }));
    container["environment"] = variables.collect();
    definition["taskRoleArn"] = json!(ROLE);
    agent.put(name, &definition).await.expect("a put");
    agent.until(name, "RUNNING").await;
}

async fn boto3(site: &Site, agent: &Agent, name: &str, moto: &Moto) {
    let command = ["/python", "/client.py", &moto.endpoint, "0.5"];
    run(site, agent, name, &command, &[]).await;
}

/// Waits until the container has written a line of JSON that is so.
async fn until_said(site: &Site, name: &str, holds: impl Fn(&Value) -> bool + Send + Sync) {
    eventually(&format!("what {name} says"), async || {
        let logs = site.run(&["logs", &site.id(name)]).await.out;
        let found = logs.lines().any(|line| {
            let json = line.find('{').and_then(|start| line.get(start..));
            json.and_then(|text| serde_json::from_str(text).ok())
                .is_some_and(|value: Value| holds(&value))
        });
        found.then_some(())
    })
    .await;
}

fn session(site: &Site, name: &str) -> String {
    let id = site.id(name);
    format!("arn:aws:sts::123456789012:assumed-role/web/berth-{id}")
}

#[tokio::test]
async fn sdks_in_containers_are_their_tasks_role_and_follow_a_change() {
    let Some(address) = bridge_address().await else {
        berth::testing::skip::skipped("this host has no docker0");
        return;
    };
    let Some(moto) = Moto::start_at(&address).await else {
        return;
    };
    with_site(async |site| {
        if with_sdks(site).await.is_none() {
            return;
        }
        site.give_address();
        let before = site.berth.clone();
        site.berth = before
            .clone()
            .env("BERTH_CREDENTIALS", "sts")
            .env("BERTH_STS_ENDPOINT", &moto.endpoint)
            .env("BERTH_STS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "AKIAHOST")
            .env("AWS_SECRET_ACCESS_KEY", "host-secret");
        let agent = site.agent(&[]).await;
        boto3(site, &agent, "boto3", &moto).await;
        let rust = ["/program", "--exact", "e2e_sdk::rust_client", "--nocapture"];
        let env = [(STS_FOR_CHILD, moto.endpoint.as_str()), (BY_CLOCK, "1")];
        run(site, &agent, "rust", &rust, &env).await;
        run(site, &agent, "go", &["/go-client", &moto.endpoint], &[]).await;
        for name in ["boto3", "rust", "go"] {
            until_said(site, name, |said| said["arn"] == session(site, name)).await;
            agent.stop(name).await.expect("a stop");
        }
        assert!(agent.end().await.success());

        // Credentials that end soon: the SDK asks again before they do.
        let path = site.path("credentials.json");
        let write = |key: &str| {
            let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(5);
            let content = json!({
                "AccessKeyId": key, "SecretAccessKey": "s", "Token": "t", "Expiration": soon.to_string(),
            });
            std::fs::write(&path, content.to_string()).expect("a file");
        };
        write("FIRST");
        site.berth = before
            .env("BERTH_CREDENTIALS", "dev")
            .env("BERTH_CREDENTIALS_FILE", path.display().to_string());
        let agent = site.agent(&[]).await;
        boto3(site, &agent, "later", &moto).await;
        until_said(site, "later", |said| said["key"] == "FIRST").await;
        write("SECOND");
        until_said(site, "later", |said| said["key"] == "SECOND").await;
        assert!(agent.end().await.success());
    })
    .await;
}
