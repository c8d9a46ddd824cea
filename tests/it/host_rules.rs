//! What an agent keeps of the host's rules, in a network namespace of its own, without Docker.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use super::support::berth::{Berth, Done, LIMIT, done};

/// Longest time until what was taken away is back: a second and what a slow machine adds.
const BACK: Duration = Duration::from_secs(10);

/// An agent that is killed when dropped, with the network that it was started in.
struct Lab {
    agent: Child,
    berth: Berth,
    dir: tempfile::TempDir,
}

impl Lab {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name).display().to_string();
        let berth = Berth::default()
            .env("HOME", path(""))
            .env("ECS_DATADIR", path("data"))
            .env("DOCKER_HOST", format!("unix://{}", path("no-docker.sock")))
            .env("BERTH_CREDENTIALS", "off")
            .env("BERTH_TASK_REDIRECT", "true")
            .env("BERTH_TASK_SERVER_ADDRESS", "127.0.0.1:51679");
        let agent = berth.command(&["agent"]).as_std().get_program().to_owned();
        let mut command = program("unshare", &berth);
        command
            .arg("--net")
            .arg(agent)
            .arg("agent")
            .kill_on_drop(true);
        let agent = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare, of util-linux");
        Self { agent, berth, dir }
    }

    /// Runs a program in the agent's network.
    async fn within(&self, name: &str, args: &[&str]) -> Done {
        let pid = self.agent.id().expect("it runs").to_string();
        let mut command = program("nsenter", &self.berth);
        command.args(["--net", "--target", &pid, name]).args(args);
        let output = tokio::time::timeout(LIMIT, command.output()).await;
        done(&output.expect("in time").expect("nsenter, of util-linux"))
    }

    async fn has_barrier(&self) -> bool {
        let listed = self
            .within("nft", &["list", "table", "inet", "berth"])
            .await;
        listed.code == Some(0)
    }

    async fn has_redirect(&self) -> bool {
        let listed = self
            .within("iptables", &["-t", "nat", "-S", "PREROUTING"])
            .await;
        listed.out.contains("169.254.170.2")
    }

    /// `berth host` in the agent's network.
    async fn host(&self, action: &str) -> Done {
        let berth = self.berth.command(&[]).as_std().get_program().to_owned();
        let berth = berth.to_str().expect("text").to_owned();
        self.within(&berth, &["host", action]).await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "programs of the host are run beside the program under test"
)]
fn program(name: &str, berth: &Berth) -> Command {
    let mut command = Command::new(name);
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .envs(berth.env.iter().cloned())
        .stdin(Stdio::null());
    command
}

/// Waits until it is so, and says how long that took.
async fn within_time(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < BACK, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    began.elapsed()
}

#[tokio::test]
async fn rules_that_somebody_takes_away_are_back_and_stay_until_they_are_cleaned() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root makes network namespaces");
        return;
    }
    let mut lab = Lab::start();
    within_time("the barrier is up", async || lab.has_barrier().await).await;
    within_time("the redirect is there", async || lab.has_redirect().await).await;
    for _ in 0..2 {
        lab.within("nft", &["delete", "table", "inet", "berth"])
            .await
            .with(0);
        let took = within_time("the barrier is back", async || lab.has_barrier().await).await;
        println!("the barrier was back after {} ms", took.as_millis());
    }
    lab.within("iptables", &["-t", "nat", "-F"]).await.with(0);
    within_time("the redirect is back", async || lab.has_redirect().await).await;
    let status = lab.host("status").await;
    assert!(status.with(0).contains("do not reach"), "{status:?}");

    // Another process keeps the network while the agent ends.
    let pid = lab.agent.id().expect("it runs").to_string();
    let mut keeper = program("nsenter", &lab.berth);
    keeper
        .args(["--net", "--target", &pid, "sleep", "60"])
        .kill_on_drop(true);
    let keeper = keeper.spawn().expect("nsenter");
    let pid = i32::try_from(lab.agent.id().expect("it runs")).expect("a pid");
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("a signal");
    let ended = tokio::time::timeout(LIMIT, lab.agent.wait()).await;
    assert!(ended.expect("in time").expect("a status").success());
    lab.agent = keeper;
    assert!(
        lab.has_barrier().await && lab.has_redirect().await,
        "they stay"
    );
    for _ in 0..2 {
        let cleaned = lab.host("clean").await;
        assert!(
            cleaned.with(0).contains("nothing of this agent"),
            "{cleaned:?}"
        );
        assert!(!lab.has_barrier().await && !lab.has_redirect().await);
    }
    assert!(lab.dir.path().exists());
}
