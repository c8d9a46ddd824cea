//! A Docker Engine of a test's own, in a directory of its own, that may be killed.
//!
//! It has no network but `none`, and a network namespace of its own: a dockerd without a bridge removes the host's
//! `docker0`.
#![cfg(feature = "e2e")]

use std::path::PathBuf;
use std::time::Duration;

use berth::platform::command::Command;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::Child;

use super::http;
use super::program;
use super::view::eventually;

const UMOUNT_LIMIT: Duration = Duration::from_secs(10);

pub(crate) struct Dockerd {
    dir: TempDir,
    live_restore: bool,
    child: Child,
}

impl Dockerd {
    /// Starts one; `None`, said on standard error, where that cannot be done.
    pub(crate) async fn start(live_restore: bool) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("daemon.json"), "{}").expect("a file");
        let child = match spawn(&dir, live_restore) {
            Ok(child) => child,
            Err(error) => {
                berth::testing::skip::skipped(format_args!("dockerd: {error}"));
                return None;
            }
        };
        let mut dockerd = Self {
            dir,
            live_restore,
            child,
        };
        let log = dockerd.dir.path().join("log");
        if !dockerd.comes_up().await {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            berth::testing::skip::skipped(format_args!("dockerd ended: {log}"));
            return None;
        }
        Some(dockerd)
    }

    /// `DOCKER_HOST` of it.
    pub(crate) fn endpoint(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Kills it and starts it again, with the signal that is said.
    pub(crate) async fn restart(&mut self, signal: Signal) {
        self.signal(signal).await;
        self.child = spawn(&self.dir, self.live_restore).expect("dockerd");
        assert!(self.comes_up().await, "dockerd comes up again");
    }

    /// Ends it, and what it started. Containers must be gone before.
    pub(crate) async fn end(mut self) {
        self.signal(Signal::SIGTERM).await;
        // What a kill of it left mounted keeps the directory from being removed.
        let root = self.dir.path().to_string_lossy().into_owned();
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
        let targets = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        for target in targets.filter(|target| target.starts_with(&root)) {
            let umount = Command::new("umount", UMOUNT_LIMIT);
            umount.args(["-l", target]).run().await.ok();
        }
    }

    async fn signal(&mut self, signal: Signal) {
        let id = self.child.id().expect("it runs");
        let pid = Pid::from_raw(i32::try_from(id).expect("a pid"));
        kill(pid, signal).expect("a signal");
        self.child.wait().await.expect("it ends");
        // Its containerd dies with it, and a dockerd that finds it dying waits for it in vain.
        let pid_file = self.dir.path().join("exec/containerd/containerd.pid");
        if let Ok(pid) = std::fs::read_to_string(pid_file) {
            let process = PathBuf::from("/proc").join(pid.trim());
            eventually("containerd ends", async || {
                (!process.exists()).then_some(())
            })
            .await;
        }
    }

    async fn comes_up(&mut self) -> bool {
        let socket = self.socket();
        let child = &mut self.child;
        eventually("dockerd answers or ends", async || {
            if !matches!(child.try_wait(), Ok(None)) {
                return Some(false);
            }
            let answer = http::request(&socket, "GET", "/_ping").await.ok()?;
            (answer.status == 200).then_some(true)
        })
        .await
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("d.sock")
    }
}

fn spawn(dir: &TempDir, live_restore: bool) -> std::io::Result<Child> {
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let mut args = vec![
        // A network namespace of its own: without a bridge, dockerd removes the host's `docker0`.
        "--net".to_owned(),
        "dockerd".to_owned(),
        format!("--config-file={}", path("daemon.json")),
        format!("--data-root={}", path("data")),
        format!("--exec-root={}", path("exec")),
        format!("--pidfile={}", path("pid")),
        format!("--host=unix://{}", path("d.sock")),
        "--bridge=none".to_owned(),
        "--iptables=false".to_owned(),
        "--ip6tables=false".to_owned(),
        "--storage-driver=vfs".to_owned(),
    ];
    if live_restore {
        args.push("--live-restore".to_owned());
    }
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(dir.path().join("log"))?;
    program::start("unshare", &args, log)
}
