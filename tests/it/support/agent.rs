//! A host of a user: a data directory, an image, agents that are started and killed, Docker looked at from outside.
//!
//! Containers are found by the site's own image, so that also those are seen that no agent admits to.
#![cfg(feature = "e2e")]

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use berth::cli::client::{Ask, Client, ClientError};
use futures_util::FutureExt as _;
use hyper::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Child;

use super::berth::{Berth, Done, LIMIT};
use super::http::{DOCKER_SOCKET, request};
use super::view::eventually;

/// A host with its user.
pub(crate) struct Site {
    dir: TempDir,
    /// Ends every task id: Docker's names of containers are made from ids, and other tests have agents too.
    tag: String,
    pub(crate) image: String,
    pub(crate) berth: Berth,
    /// Its agents give the host the address of containers.
    address: Option<File>,
}

/// A container as Docker shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) task: String,
    pub(crate) name: String,
    pub(crate) id: String,
    /// Process id on the host; 0 = it does not run.
    pub(crate) pid: u64,
    pub(crate) exit_code: i64,
}

/// Runs `test` on a host of its own and removes everything afterwards, also when it fails.
pub(crate) async fn with_site(test: impl AsyncFnOnce(&mut Site)) {
    let Some(mut site) = Site::open().await else {
        return;
    };
    let done = std::panic::AssertUnwindSafe(test(&mut site))
        .catch_unwind()
        .await;
    let log = site.log();
    site.close().await;
    if let Err(failure) = done {
        eprintln!("what its agents have logged:\n{log}");
        std::panic::resume_unwind(failure);
    }
}

impl Site {
    async fn open() -> Option<Self> {
        let (docker, instance) = super::docker::docker().await?;
        let image = format!("berth-test/busybox:{instance}");
        super::images::load_busybox(&docker, &image).await;
        let dir = tempfile::tempdir().expect("a directory");
        let berth = Berth::default()
            .env("HOME", dir.path().display().to_string())
            .env("ECS_DATADIR", dir.path().join("data").display().to_string())
            .env("BERTH_INTROSPECTION_ADDRESS", "127.0.0.1:0")
            .env("BERTH_TASK_SERVER_ADDRESS", "127.0.0.1:0")
            // The host has one such address, and tests run side by side.
            .env("BERTH_TASK_ADDRESS", "false")
            // The host's rules are not the tests' to change.
            .env("BERTH_BLOCK_INSTANCE_METADATA", "false")
            // Nor is the host's instance theirs to ask.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("ECS_IMAGE_PULL_BEHAVIOR", "prefer-cached");
        Some(Self {
            dir,
            tag: instance,
            image,
            berth,
            address: None,
        })
    }

    /// From now on agents give the host the address of containers; it is taken away with the site. A host has one: this
    /// waits until no other test has it.
    pub(crate) fn give_address(&mut self) {
        let lock = std::env::temp_dir().join("berth-test-address.lock");
        let lock = File::create(lock).expect("a file");
        lock.lock().expect("a lock");
        self.berth = std::mem::take(&mut self.berth).env("BERTH_TASK_ADDRESS", "true");
        self.address = Some(lock);
    }

    /// Removes what the test made. Agents must be gone.
    async fn close(mut self) {
        if self.address.is_some() {
            // The one that the test had last may be a bad one.
            self.berth.program = None;
            self.run(&["host", "clean"]).await;
        }
        let volumes: Vec<String> = self.volumes().await;
        for seen in self.containers().await {
            let path = format!("/containers/{}?force=true&v=true", seen.id);
            request(DOCKER_SOCKET, "DELETE", &path).await.ok();
        }
        for volume in volumes {
            let path = format!("/volumes/{volume}");
            request(DOCKER_SOCKET, "DELETE", &path).await.ok();
        }
        let path = format!("/images/{}?force=true", self.image);
        request(DOCKER_SOCKET, "DELETE", &path).await.ok();
    }

    /// The id of the task that the test calls `name`; commands find it by `name` too, since that begins it.
    pub(crate) fn id(&self, name: &str) -> String {
        format!("{name}-{}", self.tag)
    }

    /// A path in the test's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The agent's state directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a task definition and gives its path.
    pub(crate) fn file(&self, name: &str, content: &Value) -> String {
        let path = self.path(name);
        std::fs::write(&path, content.to_string()).expect("a file");
        path.display().to_string()
    }

    /// A container that runs a shell command in the test's image.
    pub(crate) fn shell(&self, name: &str, command: &str) -> Value {
        json!({
            "name": name, "image": self.image, "memory": 32, "cpu": 8, "essential": true, "stopTimeout": 2,
            "command": ["sh", "-c", command],
        })
    }

    /// A task definition with that one container, named `app`.
    pub(crate) fn one(&self, family: &str, command: &str) -> Value {
        json!({ "family": family, "containerDefinitions": [self.shell("app", command)] })
    }

    /// Runs the program to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Done {
        self.berth.run(args).await
    }

    /// Starts an agent and waits until it answers.
    pub(crate) async fn agent(&self, args: &[&str]) -> Agent {
        let mut agent = self.agent_unasked(args);
        eventually("the agent answers", async || {
            assert!(agent.child.try_wait().expect("a status").is_none());
            agent.health().await.ok()
        })
        .await;
        agent
    }

    /// Starts an agent under a parent and waits until it answers.
    pub(crate) async fn supervised(&self) -> Agent {
        let mut parent = self.start(&["supervise"]);
        eventually("the agent answers", async || {
            assert!(parent.child.try_wait().expect("a status").is_none());
            parent.health().await.ok()
        })
        .await;
        parent
    }

    /// Starts an agent.
    pub(crate) fn agent_unasked(&self, args: &[&str]) -> Agent {
        self.start(&[&["agent"], args].concat())
    }

    fn start(&self, args: &[&str]) -> Agent {
        let log = self.path("agent.log");
        let open = || File::options().create(true).append(true).open(&log);
        let child = self
            .berth
            .command(args)
            .stdout(Stdio::from(open().expect("a log")))
            .stderr(Stdio::from(open().expect("a log")))
            .spawn()
            .expect("the agent starts");
        Agent {
            child,
            tag: self.tag.clone(),
            client: Client::new(self.data().join("berth.sock")),
        }
    }

    /// Starts another agent on the same Docker, with a state directory of its own, and waits until it answers.
    pub(crate) async fn agent_beside(&self, name: &str) -> Agent {
        let data = self.path(name);
        let log = self.path(&format!("{name}.log"));
        let open = || File::options().create(true).append(true).open(&log);
        let berth = self.berth.clone();
        let child = berth
            .env("ECS_DATADIR", data.display().to_string())
            .command(&["agent"])
            .stdout(Stdio::from(open().expect("a log")))
            .stderr(Stdio::from(open().expect("a log")))
            .spawn()
            .expect("the agent starts");
        let agent = Agent {
            child,
            tag: self.tag.clone(),
            client: Client::new(data.join("berth.sock")),
        };
        eventually("the agent answers", async || agent.health().await.ok()).await;
        agent
    }

    /// Where an agent of this site has said that a listener of it is.
    pub(crate) async fn listener(&self, name: &str) -> SocketAddr {
        eventually("it listens", async || {
            let log = self.log();
            let lines = log
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut of_it = lines.filter(|line| line["listener"] == name);
            of_it.find_map(|line| line["address"].as_str()?.parse().ok())
        })
        .await
    }

    /// What agents of this site have logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("agent.log")).unwrap_or_default()
    }

    /// Every container of the site's image, whoever made it.
    pub(crate) async fn containers(&self) -> Vec<Seen> {
        let filter = format!("%7B%22ancestor%22%3A%5B%22{}%22%5D%7D", self.image);
        let path = format!("/containers/json?all=1&filters={filter}");
        let listed = request(DOCKER_SOCKET, "GET", &path).await.expect("a list");
        let mut seen = Vec::new();
        for entry in listed.json().as_array().into_iter().flatten() {
            let id = entry["Id"].as_str().expect("an id");
            let path = format!("/containers/{id}/json");
            let answer = request(DOCKER_SOCKET, "GET", &path).await.expect("inspect");
            // It may be gone by now.
            if answer.status != 200 {
                continue;
            }
            let body = answer.json();
            let label = |name: &str| {
                let text = body["Config"]["Labels"][name].as_str();
                text.unwrap_or_default().to_owned()
            };
            seen.push(Seen {
                task: label("com.amazonaws.ecs.task-arn"),
                name: label("com.amazonaws.ecs.container-name"),
                id: id.to_owned(),
                pid: body["State"]["Pid"].as_u64().unwrap_or_default(),
                exit_code: body["State"]["ExitCode"].as_i64().unwrap_or_default(),
            });
        }
        seen.sort();
        seen
    }

    /// Containers that run.
    pub(crate) async fn running(&self) -> Vec<Seen> {
        let all = self.containers().await;
        all.into_iter().filter(|seen| seen.pid != 0).collect()
    }

    async fn volumes(&self) -> Vec<String> {
        let mut names = Vec::new();
        for seen in self.containers().await {
            let path = format!("/containers/{}/json", seen.id);
            let Ok(answer) = request(DOCKER_SOCKET, "GET", &path).await else {
                continue;
            };
            let body = answer.json();
            let mounts = body["Mounts"].as_array().cloned().unwrap_or_default();
            names.extend(
                mounts
                    .iter()
                    .filter_map(|m| m["Name"].as_str().map(str::to_owned)),
            );
        }
        names
    }
}

/// An agent process; killed when dropped.
pub(crate) struct Agent {
    child: Child,
    tag: String,
    client: Client,
}

impl Agent {
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id().expect("it runs")).expect("a pid")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("a signal");
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// SIGTERM, and waits for its end.
    pub(crate) async fn end(mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.exit().await
    }

    /// Waits for its end.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(LIMIT, self.child.wait()).await;
        ended.expect("it ends in time").expect("a status")
    }

    pub(crate) async fn health(&self) -> Result<Value, ClientError> {
        self.client.get("/v1/health").await
    }

    fn path(&self, name: &str) -> String {
        format!("/v1/tasks/{name}-{}", self.tag)
    }

    /// Puts a task, [named](Site::id) so.
    pub(crate) async fn put(&self, id: &str, definition: &Value) -> Result<Value, ClientError> {
        let mut ask = Ask::new(Method::PUT, self.path(id));
        ask.body = definition.to_string().into();
        self.client.ask(ask).await
    }

    /// Asks a task to stop.
    pub(crate) async fn stop(&self, id: &str) -> Result<Value, ClientError> {
        let path = format!("{}/stop", self.path(id));
        self.client.ask(Ask::new(Method::POST, path)).await
    }

    pub(crate) async fn task(&self, id: &str) -> Result<Value, ClientError> {
        self.client.get(&self.path(id)).await
    }

    pub(crate) async fn tasks(&self) -> Result<Value, ClientError> {
        self.client.get("/v1/tasks").await
    }

    /// Waits until the task has that status.
    pub(crate) async fn until(&self, id: &str, status: &str) -> Value {
        eventually(&format!("{id} is {status}"), async || {
            let task = self.task(id).await.ok()?;
            (task["status"] == status).then_some(task)
        })
        .await
    }
}
