//! What a real container uses, as the agent reads it from the kernel, beside what Docker says of it.
#![cfg(feature = "e2e")]

use serde_json::{Value, json};

use crate::support::agent::{Site, with_site};
use crate::support::http::{DOCKER_SOCKET, request};
use crate::support::view::eventually;

/// Works for some milliseconds of each tenth of a second.
const BUSY: &str = "trap 'exit 0' TERM; while :; do i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; sleep 0.1 & wait; done";

async fn ask(site: &Site, path: &str) -> Option<Value> {
    let answer = request(site.data().join("berth.sock"), "GET", path).await;
    let answer = answer.ok().filter(|answer| answer.status == 200)?;
    Some(answer.json())
}

/// The container of the task once it was read twice.
async fn read_twice(site: &Site, id: &str) -> Value {
    let path = format!("/v1/tasks/{}/usage", site.id(id));
    eventually("its use", async || {
        let usage = ask(site, &path).await?["usage"].take();
        let container = usage["containers"][0].clone();
        container.get("rates").map(|_| container.clone())
    })
    .await
}

#[tokio::test]
async fn use_is_read_without_docker_and_agrees_with_it() {
    with_site(async |site| {
        let agent = site.agent(&[]).await;
        let definition = site.one("busy", BUSY);
        agent.put("busy", &definition).await.expect("a put");
        agent.until("busy", "RUNNING").await;
        let container = read_twice(site, "busy").await;
        let cpus = container["rates"]["cpus"].as_f64().expect("a number");
        assert!(cpus > 0.0 && cpus < 2.0, "{container}");
        let memory = container["memoryBytes"].as_u64().expect("bytes");
        let limit = container["memoryLimitBytes"].as_u64().expect("bytes");
        assert!(memory > 0 && memory < limit, "{container}");
        assert!(container["pids"].as_u64() > Some(0), "{container}");

        let seen = site.running().await;
        let path = format!(
            "/containers/{}/stats?stream=false&one-shot=true",
            seen[0].id
        );
        let docker = request(DOCKER_SOCKET, "GET", &path).await.expect("Docker");
        let docker = docker.json();
        assert_eq!(docker["memory_stats"]["limit"].as_u64(), Some(limit));

        let all = ask(site, "/v1/usage").await.expect("an answer");
        assert!(all["host"]["cpus"].as_u64() > Some(0), "{all}");
        assert_eq!(all["tasks"][0]["taskId"], site.id("busy"));
        agent.kill().await;

        // Another agent finds the container by its id.
        let agent = site.agent(&[]).await;
        read_twice(site, "busy").await;
        agent.stop("busy").await.expect("a stop");
        agent.until("busy", "STOPPED").await;
        eventually("that nothing is read any more", async || {
            let all = ask(site, "/v1/usage").await?;
            (all["tasks"] == serde_json::json!([])).then_some(())
        })
        .await;
        drop(agent);
    })
    .await;
}

/// Writes a mebibyte over the image and two into a volume of its own.
const WRITER: &str = "trap 'exit 0' TERM; dd if=/dev/zero of=/root.bin bs=1M count=1; \
                      dd if=/dev/zero of=/data/volume.bin bs=1M count=2; sleep 100000 & wait";

#[tokio::test]
async fn the_disk_is_shown_by_owner() {
    with_site(async |site| {
        site.berth = std::mem::take(&mut site.berth).env("BERTH_DISK_USE_INTERVAL", "10s");
        let agent = site.agent(&[]).await;
        let mut definition = site.one("writer", WRITER);
        definition["volumes"] =
            json!([{ "name": "data", "dockerVolumeConfiguration": { "scope": "task" } }]);
        let container = &mut definition["containerDefinitions"][0];
        container["mountPoints"] = json!([{ "sourceVolume": "data", "containerPath": "/data" }]);
        agent.put("writer", &definition).await.expect("a put");
        agent.until("writer", "RUNNING").await;
        let (usage, owner) = eventually("what the task has written", async || {
            let usage = ask(site, "/v1/resources").await?["disk"]["usage"].take();
            let tasks = usage["tasks"].as_array()?.clone();
            let id = site.id("writer");
            let owner = tasks
                .into_iter()
                .find(|task| task["taskId"] == id.as_str())?;
            (owner["volumeBytes"].as_u64() >= Some(2 << 20)).then_some((usage, owner))
        })
        .await;
        assert_eq!(owner["family"], "writer", "{owner}");
        let written = owner["writableBytes"].as_u64().expect("bytes");
        assert!((1 << 20..2 << 20).contains(&written), "{owner}");
        assert!(usage["imageBytes"].as_u64() > Some(0), "{usage}");
        assert!(usage["agentBytes"].as_u64() > Some(0), "{usage}");
        assert!(usage["checkedAt"].is_string(), "{usage}");
        let top = site.run(&["top"]).await;
        assert!(top.with(0).contains("disk in use: images "), "{top:?}");
        drop(agent);
    })
    .await;
}
