//! What surrounds the agent goes wrong, as a user sees it: a full disk, a Docker that is not there.
#![cfg(feature = "e2e")]

use std::io::Write as _;
use std::path::Path;

use serde_json::json;
use tokio::net::UnixListener;

use crate::support::agent::{Agent, Site, with_site};
use crate::support::http::DOCKER_SOCKET;
use crate::support::view::{SERVE, eventually};

/// Exit code: the agent answers but cannot do it now.
const UNAVAILABLE: i32 = 8;

/// A file system of 4 MiB in memory; unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

#[expect(clippy::disallowed_methods, reason = "mount(8) needs no crate")]
fn run(program: &str, args: &[&str]) -> bool {
    let status = std::process::Command::new(program).args(args).status();
    status.is_ok_and(|status| status.success())
}

impl<'a> SmallDisk<'a> {
    fn mount(place: &'a Path) -> Option<Self> {
        std::fs::create_dir_all(place).expect("a directory");
        let text = place.to_str().expect("UTF-8");
        let mounted = run(
            "mount",
            &["-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", text],
        );
        if !mounted {
            berth::testing::skip::skipped("nothing can be mounted here");
        }
        mounted.then_some(Self(place))
    }

    /// Leaves not a byte.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).expect("a file");
        for block in [vec![0_u8; 4096], vec![0]] {
            while file.write_all(&block).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("removed");
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        run("umount", &["--lazy", self.0.to_str().unwrap_or_default()]);
    }
}

#[tokio::test]
async fn on_a_full_disk_what_runs_runs_on_and_what_is_new_is_refused_in_words() {
    with_site(async |site| {
        let data = site.data();
        let Some(disk) = SmallDisk::mount(&data) else {
            return;
        };
        let agent = site.agent(&[]).await;
        agent
            .put("old", &site.one("old", SERVE))
            .await
            .expect("a put");
        agent
            .put("ends", &site.one("ends", "sleep 10; exit 6"))
            .await
            .expect("a put");
        agent.until("old", "RUNNING").await;
        agent.until("ends", "RUNNING").await;
        let old = site.running().await;
        disk.fill();
        let mut padded = site.one("new", SERVE);
        // More than the log has room for that it has taken already.
        padded["containerDefinitions"][0]["environment"] = ["A", "B", "C", "D"]
            .map(|name| json!({ "name": name, "value": "x".repeat(50_000) }))
            .into();
        let refused = agent.put("new", &padded).await.expect_err("no room");
        assert!(
            refused.to_string().contains("cannot be written"),
            "{refused}"
        );
        eventually("it is told", async || {
            let health = agent.health().await.ok()?;
            health["engine"]["storeError"].as_str().map(str::to_owned)
        })
        .await;
        let why = site.run(&["why"]).await;
        assert!(why.with(0).to_lowercase().contains("full"), "{why:?}");
        let running = site.running().await;
        let lost = old.iter().find(|seen| {
            seen.name == "app" && !running.contains(seen) && seen.task.contains("old")
        });
        assert_eq!(lost, None);
        disk.free();
        eventually("it is as before", async || {
            let health = agent.health().await.ok()?;
            (health["status"] == "ok").then_some(())
        })
        .await;
        let ends = agent.until("ends", "STOPPED").await;
        assert_eq!(ends["containers"][0]["exit"]["code"], 6);
        agent.put("new", &padded).await.expect("a put");
        agent.until("new", "RUNNING").await;
        agent.kill().await;
        drop(disk);
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_starts_on_a_full_disk_waits_for_room() {
    with_site(async |site| {
        let data = site.data();
        let Some(disk) = SmallDisk::mount(&data) else {
            return;
        };
        disk.fill();
        let agent = site.agent_unasked(&[]);
        eventually("it says what it waits for", async || {
            site.log()
                .contains("the state directory cannot be used")
                .then_some(())
        })
        .await;
        assert!(agent.end().await.success(), "a signal ends it");
        let agent = site.agent_unasked(&[]);
        disk.free();
        agent_answers(&agent).await;
        agent.put("t", &site.one("t", SERVE)).await.expect("a put");
        agent.until("t", "RUNNING").await;
        agent.kill().await;
        drop(disk);
    })
    .await;
}

async fn agent_answers(agent: &Agent) {
    eventually("the agent answers", async || agent.health().await.ok()).await;
}

/// Docker's place, where the test puts what it wants.
fn away(site: &mut Site) -> std::path::PathBuf {
    let dir = site.path("docker");
    std::fs::create_dir(&dir).expect("a directory");
    let socket = dir.join("d.sock");
    site.berth = site
        .berth
        .clone()
        .env("DOCKER_HOST", format!("unix://{}", socket.display()));
    socket
}

/// The agent takes a task that waits, says why, and starts it once Docker's socket is there.
async fn waits_and_starts(site: &Site, agent: &Agent, word: &str, heal: impl FnOnce()) {
    agent.put("t", &site.one("t", SERVE)).await.expect("a put");
    eventually("the wait has a name", async || {
        let why = site.run(&["why", "t"]).await;
        let said = why.with(0).to_lowercase();
        (said.contains("docker") && said.contains(word)).then_some(())
    })
    .await;
    let health = agent.health().await.expect("health");
    assert_eq!(health["status"], "degraded", "{health:#}");
    let ps = site.run(&["ps"]).await;
    assert!(ps.with(0).contains("PENDING"), "{ps:?}");
    let logs = site.run(&["logs", "t"]).await;
    assert!(matches!(logs.code, Some(6 | UNAVAILABLE)), "{logs:?}");
    assert_eq!(site.containers().await, []);
    heal();
    agent.until("t", "RUNNING").await;
    let why = site.run(&["why", "t", "--json"]).await.json();
    assert_eq!(why["task"]["converged"], true);
}

#[tokio::test]
async fn a_docker_that_is_not_there_yet_is_waited_for() {
    with_site(async |site| {
        let socket = away(site);
        let agent = site.agent(&[]).await;
        let heal = || std::os::unix::fs::symlink(DOCKER_SOCKET, &socket).expect("a link");
        waits_and_starts(site, &agent, "there is no", heal).await;
        // It goes again: what runs is not called stopped.
        std::fs::remove_file(&socket).expect("removed");
        agent.stop("t").await.expect("a stop");
        eventually("the trouble is told", async || {
            let health = agent.health().await.ok()?;
            health["engine"]["runtimeError"].as_str().map(str::to_owned)
        })
        .await;
        assert_ne!(agent.task("t").await.expect("a task")["status"], "STOPPED");
        assert_eq!(site.running().await.len(), 1);
        std::os::unix::fs::symlink(DOCKER_SOCKET, &socket).expect("a link");
        agent.until("t", "STOPPED").await;
    })
    .await;
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_waited_for() {
    with_site(async |site| {
        let socket = away(site);
        drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
        let agent = site.agent(&[]).await;
        let heal = || {
            std::fs::remove_file(&socket).expect("removed");
            std::os::unix::fs::symlink(DOCKER_SOCKET, &socket).expect("a link");
        };
        waits_and_starts(site, &agent, "nobody listens", heal).await;
    })
    .await;
}

#[tokio::test]
async fn a_socket_that_never_answers_is_waited_for() {
    with_site(async |site| {
        let socket = away(site);
        // The queue of the kernel accepts; nobody reads.
        let silent = UnixListener::bind(&socket).expect("a socket");
        let agent = site.agent(&[]).await;
        let heal = move || {
            std::fs::remove_file(&socket).expect("removed");
            std::os::unix::fs::symlink(DOCKER_SOCKET, &socket).expect("a link");
            drop(silent);
        };
        waits_and_starts(site, &agent, "docker", heal).await;
    })
    .await;
}
