//! Containers' requests while agents come and go: 100 clients ask five times a second through a crash, an upgrade and
//! a version that is no good, with the source of credentials away.
#![cfg(feature = "e2e")]

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::support::agent::{Agent, Site, with_site};
use super::support::http::{DOCKER_SOCKET, get, request};
use super::support::view::eventually;

const CLIENTS: usize = 100;

/// From one request of a client to the next.
const PACE: Duration = Duration::from_millis(200);

/// The longest that a request may take: the promise of issue 4.
const SLOWEST: Duration = Duration::from_millis(1500);

/// What the clients have seen.
#[derive(Debug, Default)]
struct Tally {
    answered: usize,
    failed: Vec<String>,
    /// Connections that the killed agent had accepted and took with it; the request was sent again, as SDKs do.
    cut_off: usize,
    slowest: Duration,
    slow: usize,
}

/// Clients that ask until they are told to end.
struct Clients {
    work: JoinSet<Tally>,
    stop: CancellationToken,
    answered: Arc<AtomicUsize>,
    cut_off: Arc<AtomicUsize>,
}

impl Clients {
    fn start(address: SocketAddr, path: &str) -> Self {
        let (stop, answered) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let cut_off = Arc::new(AtomicUsize::new(0));
        let mut work = JoinSet::new();
        for n in 0..CLIENTS {
            let path = path.to_owned();
            let (stop, answered) = (stop.clone(), Arc::clone(&answered));
            let cut_off = Arc::clone(&cut_off);
            work.spawn(async move {
                let mut tally = Tally::default();
                // Spread over the pace, as containers are.
                let share = u32::try_from(n).expect("a number");
                let first = tokio::time::Instant::now() + PACE * share / 100;
                let mut ticks = tokio::time::interval_at(first, PACE);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                    let before = tally.cut_off;
                    ask(address, &path, &mut tally).await;
                    cut_off.fetch_add(tally.cut_off - before, Ordering::Relaxed);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                tally
            });
        }
        Self {
            work,
            stop,
            answered,
            cut_off,
        }
    }

    /// Waits until the clients have got that many more answers.
    async fn more(&self, count: usize) {
        let wanted = self.answered.load(Ordering::Relaxed) + count;
        eventually("clients are answered", async || {
            (self.answered.load(Ordering::Relaxed) >= wanted).then_some(())
        })
        .await;
    }

    async fn end(self) -> Tally {
        self.stop.cancel();
        let mut all = Tally::default();
        for tally in self.work.join_all().await {
            all.answered += tally.answered;
            all.failed.extend(tally.failed);
            all.cut_off += tally.cut_off;
            all.slow += tally.slow;
            all.slowest = all.slowest.max(tally.slowest);
        }
        all
    }
}

async fn ask(address: SocketAddr, path: &str, tally: &mut Tally) {
    let began = Instant::now();
    let mut answer = get(address, path).await;
    if matches!(&answer, Ok(text) if text.is_empty()) || is_cut_off(&answer) {
        tally.cut_off += 1;
        answer = get(address, path).await;
    }
    let took = began.elapsed();
    tally.slowest = tally.slowest.max(took);
    tally.slow += usize::from(took > SLOWEST);
    match answer {
        Ok(text) if text.starts_with("HTTP/1.1 200") && text.contains("DEVKEY") => {
            tally.answered += 1;
        }
        Ok(text) => tally.failed.push(text),
        Err(error) => tally.failed.push(error.to_string()),
    }
}

/// A connection that was refused is not among these: nobody may be refused.
fn is_cut_off(answer: &std::io::Result<String>) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    matches!(answer, Err(error) if matches!(error.kind(), ConnectionReset | BrokenPipe))
}

/// The path that the one container of the site was told.
async fn told(site: &Site) -> String {
    let seen = site.containers().await;
    let path = format!("/containers/{}/json", seen[0].id);
    let body = request(DOCKER_SOCKET, "GET", &path).await.expect("inspect");
    let env = body.json()["Config"]["Env"].clone();
    let found = env.as_array().expect("variables").iter().find_map(|text| {
        text.as_str()?
            .strip_prefix("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=")
    });
    found.expect("the variable").to_owned()
}

/// Process id of an agent that none of these is, from the lock of its data directory.
async fn another_agent(site: &Site, known: &[i32]) -> i32 {
    eventually("another agent", async || {
        let text = std::fs::read_to_string(site.data().join("berth.lock")).ok()?;
        let pid = text.trim().parse().ok()?;
        (!known.contains(&pid)).then_some(pid)
    })
    .await
}

/// Puts a program in the place of another, as a package manager does.
fn replace(place: &Path, write: impl FnOnce(&Path)) {
    let new = place.with_extension("new");
    write(&new);
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    std::fs::rename(&new, place).expect("a rename");
}

fn good(new: &Path) {
    std::fs::copy(env!("CARGO_BIN_EXE_berth"), new).expect("a copy");
}

async fn until_logged(site: &Site, words: &str, times: usize) {
    eventually(words, async || {
        (site.log().matches(words).count() >= times).then_some(())
    })
    .await;
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.is_file() {
            files.push(path);
        }
    }
    files
}

/// Nothing below the data directory holds the secret; gives how many files were looked at.
fn assert_no_secret(site: &Site) -> usize {
    let secret = b"dev-secret";
    let files = files_below(&site.data());
    for path in &files {
        let content = std::fs::read(path).unwrap_or_default();
        let found = content.windows(secret.len()).any(|part| part == secret);
        assert!(!found, "{} holds a secret", path.display());
    }
    files.len()
}

/// Memory of a process in KiB.
fn resident_kib(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.expect("a figure")
}

/// A crash, a good version and a bad one, with requests between them; how many the crash has cut off.
async fn crash_and_upgrades(
    site: &Site,
    parent: &Agent,
    program: &Path,
    clients: &Clients,
) -> usize {
    clients.more(500).await;
    let first = another_agent(site, &[]).await;
    kill(Pid::from_raw(first), Signal::SIGKILL).expect("a signal");
    let second = another_agent(site, &[first]).await;
    clients.more(1000).await;
    let by_crash = clients.cut_off.load(Ordering::Relaxed);

    replace(program, good);
    parent.signal(Signal::SIGHUP);
    until_logged(site, "the new version is ready and stays", 1).await;
    let third = another_agent(site, &[first, second]).await;
    clients.more(500).await;

    replace(program, |new| {
        std::fs::write(new, "#!/bin/sh\nexit 1\n").expect("a file");
    });
    parent.signal(Signal::SIGHUP);
    until_logged(site, "the old one comes back", 1).await;
    eventually("the old version answers", async || {
        parent.health().await.ok()
    })
    .await;
    another_agent(site, &[first, second, third]).await;
    clients.more(500).await;
    by_crash
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_of_100_clients_fails_through_a_crash_an_upgrade_and_a_bad_version() {
    with_site(async |site| {
        let file = site.file(
            "credentials.json",
            &json!({ "AccessKeyId": "DEVKEY", "SecretAccessKey": "dev-secret" }),
        );
        let program = site.path("berth");
        replace(&program, good);
        site.berth = std::mem::take(&mut site.berth)
            .env("BERTH_CREDENTIALS", "dev")
            .env("BERTH_CREDENTIALS_FILE", &file)
            // The clients are programs of the host.
            .env("BERTH_CREDENTIALS_BINDING", "audit");
        site.berth.program = Some(program.clone());
        let parent = site.supervised().await;
        let mut definition = site.one("web", super::support::view::SERVE);
        definition["taskRoleArn"] = json!("arn:aws:iam::123456789012:role/web");
        parent.put("web", &definition).await.expect("a put");
        parent.until("web", "RUNNING").await;
        let container = site.containers().await;
        let (address, path) = (site.listener("task-server").await, told(site).await);
        let sealed = site.data().join("sealed");
        eventually("credentials are kept", async || {
            std::fs::read_dir(&sealed)
                .ok()?
                .flatten()
                .find(|entry| !entry.file_name().to_string_lossy().ends_with(".new"))
        })
        .await;
        assert!(
            assert_no_secret(site) > 4,
            "the data directory was looked at"
        );
        // From now on only what was kept can be served.
        std::fs::remove_file(&file).expect("the source goes");
        println!("memory of the parent: {} KiB", resident_kib(parent.pid()));

        let clients = Clients::start(address, &path);
        let by_crash = crash_and_upgrades(site, &parent, &program, &clients).await;
        let tally = clients.end().await;
        println!("{tally:?}");
        assert_eq!(
            tally.failed, [""; 0],
            "after {} that were answered",
            tally.answered
        );
        assert!(tally.answered > 2500, "{tally:?}");
        // Those that the killed agent was answering in that instant: none twice, and no upgrade cuts anybody off.
        assert!(by_crash <= CLIENTS, "{tally:?}");
        assert_eq!(tally.cut_off, by_crash, "{tally:?}");
        assert_eq!(tally.slow, 0, "{tally:?}");
        assert_eq!(
            site.containers().await,
            container,
            "no container was touched"
        );
        assert_no_secret(site);
        assert!(parent.end().await.success());
        assert!(
            !site.data().join("berth.sock").exists(),
            "the socket goes with its maker"
        );
    })
    .await;
}

/// A version that hangs is given up, and a parent that dies takes its agent along.
#[tokio::test]
async fn a_version_that_hangs_is_given_up_and_no_agent_outlives_its_parent() {
    with_site(async |site| {
        let program = site.path("berth");
        replace(&program, good);
        site.berth.program = Some(program.clone());
        let parent = site.supervised().await;
        let first = another_agent(site, &[]).await;
        replace(&program, |new| {
            std::fs::write(new, "#!/bin/sh\nwhile :; do sleep 1; done\n").expect("a file");
        });
        parent.signal(Signal::SIGHUP);
        until_logged(site, "the old one comes back", 1).await;
        let agent = another_agent(site, &[first]).await;
        eventually("the old version answers", async || {
            parent.health().await.ok()
        })
        .await;
        parent.kill().await;
        eventually("the agent ends", async || {
            (!Path::new(&format!("/proc/{agent}")).exists()).then_some(())
        })
        .await;
        // The next parent finds everything free.
        replace(&program, good);
        let next = site.supervised().await;
        assert!(next.end().await.success());
    })
    .await;
}
