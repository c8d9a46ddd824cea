//! A Docker that cannot be used, as a user meets it: no socket, no permission, no listener, no answer.
//!
//! No Docker is needed: the sockets are the test's own, and an ordinary user tries them.
#![cfg(feature = "e2e")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use berth::cli::client::{Ask, Client};
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::berth::{Berth, LIMIT};
use crate::support::view::eventually;

/// Exit codes (`berth::cli::exit`).
const UNREACHABLE: i32 = 4;
const NO_DOCKER: i32 = 9;

/// The user and group `nobody`.
const NOBODY: u32 = 65534;

/// A user with a task definition, and a socket where Docker should be.
struct Desk {
    dir: TempDir,
    berth: Berth,
    file: String,
    socket: PathBuf,
    /// Held so that the socket accepts connections; nobody ever reads from them.
    listener: Option<UnixListener>,
}

impl Desk {
    /// Everything is the user's own, whom nothing but permissions keeps from anything.
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("a mode");
        let socket = at("docker.sock");
        let mut berth = Berth::default()
            .env("HOME", at("").display().to_string())
            .env("ECS_DATADIR", at("data").display().to_string())
            .env("BERTH_ADMIN_SOCKET", at("admin.sock").display().to_string())
            .env("BERTH_INTROSPECTION_ADDRESS", "127.0.0.1:0")
            .env("BERTH_TASK_SERVER_ADDRESS", "127.0.0.1:0")
            .env("BERTH_TASK_ADDRESS", "false")
            .env("BERTH_BLOCK_INSTANCE_METADATA", "false")
            .env("DOCKER_HOST", format!("unix://{}", socket.display()));
        let app = json!({ "name": "app", "image": "busybox", "memory": 64 });
        let task = json!({ "family": "web", "containerDefinitions": [app] });
        let file = at("web.json");
        fs::write(&file, task.to_string()).expect("a file");
        if nix::unistd::geteuid().is_root() {
            let program = at("berth");
            fs::copy(env!("CARGO_BIN_EXE_berth"), &program).expect("a copy");
            chown(dir.path(), Some(NOBODY), Some(NOBODY)).expect("an owner");
            berth.user = Some((NOBODY, program));
        }
        let file = file.display().to_string();
        Self {
            dir,
            berth,
            file,
            socket,
            listener: None,
        }
    }

    fn listen(&mut self, mode: u32) {
        self.listener = Some(UnixListener::bind(&self.socket).expect("a socket"));
        fs::set_permissions(&self.socket, Permissions::from_mode(mode)).expect("a mode");
    }

    /// `run` ends with its code, `plan` plans on; both name the socket and what to do, and nothing is made.
    async fn told(&self, words: &[&str]) {
        let run = self.berth.run(&["run", &self.file]).await;
        let plan = self.berth.run(&["plan", &self.file]).await;
        let as_json = self.berth.run(&["plan", "--json", &self.file]).await.json();
        let socket = self.socket.display().to_string();
        let hint = as_json["hostProblem"].as_str().unwrap_or_default();
        for said in [run.failing(NO_DOCKER), plan.with(0), hint] {
            for word in words.iter().copied().chain([&*socket]) {
                assert!(said.contains(word), "{word:?} is not in: {said}");
            }
        }
        assert_eq!(run.out, "");
        assert!(plan.out.contains("POST /containers/create"), "{plan:?}");
        assert_eq!(as_json["hostKnown"], false);
        assert!(!self.dir.path().join("data").exists(), "nothing is made");
    }

    /// An agent starts all the same, says what it lacks and for which task, and ends well.
    async fn agent_goes_on(&self, words: &[&str]) {
        let mut agent = self
            .berth
            .command(&["agent"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let client = Client::new(self.dir.path().join("admin.sock"));
        eventually("the agent takes a task", async || {
            let mut ask = Ask::new(Method::PUT, "/v1/tasks/web");
            ask.body = fs::read(&self.file).expect("the task").into();
            client.ask::<Value>(ask).await.ok()
        })
        .await;
        let why = eventually("the agent says why", async || {
            let done = self.berth.run(&["why", "web"]).await;
            (done.code == Some(0) && done.out.contains("docker.sock")).then_some(done.out)
        })
        .await;
        // As on a terminal: lines are broken between words.
        let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(why.contains(word), "{word:?} is not in: {why}");
        }
        let ps = self.berth.run(&["ps"]).await;
        assert!(ps.with(0).contains("PENDING"), "{ps:?}");
        let pid = i32::try_from(agent.id().expect("it runs")).expect("a pid");
        let pid = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("a signal");
        let ended = tokio::time::timeout(LIMIT, agent.wait()).await;
        let status = ended.expect("in time").expect("a status");
        assert_eq!(status.code(), Some(0), "{status}");
    }
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_named() {
    let desk = Desk::new();
    let words = [
        "there is no Docker socket",
        "start the Docker service",
        "DOCKER_HOST",
    ];
    desk.told(&words).await;
    desk.agent_goes_on(&words).await;
}

#[tokio::test]
async fn a_socket_that_may_not_be_used_is_named() {
    let mut desk = Desk::new();
    desk.listen(0o000);
    let words = [
        "no permission to use the Docker socket",
        "run berth as root",
    ];
    desk.told(&words).await;
    desk.agent_goes_on(&words).await;
}

/// The directory hides the socket: that is not a Docker that is not there.
#[tokio::test]
async fn a_socket_that_may_not_be_seen_is_named() {
    let mut desk = Desk::new();
    let hidden = desk.dir.path().join("hidden");
    fs::create_dir(&hidden).expect("a directory");
    desk.socket = hidden.join("docker.sock");
    desk.listen(0o777);
    fs::set_permissions(&hidden, Permissions::from_mode(0o000)).expect("a mode");
    desk.berth = desk
        .berth
        .env("DOCKER_HOST", format!("unix://{}", desk.socket.display()));
    desk.told(&["no permission to use the Docker socket"]).await;
    fs::set_permissions(&hidden, Permissions::from_mode(0o755)).expect("a mode");
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_named() {
    let mut desk = Desk::new();
    desk.listen(0o777);
    desk.listener = None;
    desk.told(&[
        "nobody listens on the Docker socket",
        "start the Docker service",
    ])
    .await;
}

#[tokio::test]
async fn a_docker_that_says_nothing_is_named() {
    let mut desk = Desk::new();
    desk.listen(0o777);
    let words = ["no answer within 10 s on the Docker socket", "see its log"];
    let limit = Duration::from_secs(10);
    let began = std::time::Instant::now();
    desk.told(&words).await;
    assert!(began.elapsed() >= 3 * limit, "each of them has waited");
    desk.agent_goes_on(&words).await;
}

#[tokio::test]
async fn an_agent_that_may_not_be_asked_is_named() {
    let desk = Desk::new();
    let socket = desk.dir.path().join("admin.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    fs::set_permissions(&socket, Permissions::from_mode(0o000)).expect("a mode");
    for args in [
        &["ps"][..],
        &["why"],
        &["events"],
        &["logs", "x"],
        &["stop", "x"],
        &["rm", "x"],
    ] {
        let done = desk.berth.run(args).await;
        let said = done.failing(UNREACHABLE);
        assert!(
            said.contains("no permission to use the agent socket"),
            "{said}"
        );
        assert!(said.contains("admin.sock"), "{said}");
    }
    drop(listener);
}
