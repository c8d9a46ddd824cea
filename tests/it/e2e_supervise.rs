//! Containers' requests while agents come and go: 100 clients ask five times a second through a crash, an upgrade and
//! a version that is no good, with the source of credentials away.
#![cfg(feature = "e2e")]

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
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
    client: Client,
}

/// One of them; clones count together.
#[derive(Clone, Debug, Default)]
struct Client {
    stop: CancellationToken,
    answered: Arc<AtomicUsize>,
    cut_off: Arc<AtomicUsize>,
}

impl Client {
    /// Asks at its pace; `n` says where in the pace it begins.
    async fn run(self, n: usize, address: SocketAddr, path: String) -> Tally {
        let mut tally = Tally::default();
        // Spread over the pace, as containers are.
        let share = u32::try_from(n).expect("a number");
        let first = tokio::time::Instant::now() + PACE * share / 100;
        let mut ticks = tokio::time::interval_at(first, PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let before = tally.cut_off;
            ask(address, &path, &mut tally).await;
            let cut_off = tally.cut_off - before;
            self.cut_off.fetch_add(cut_off, Ordering::Relaxed);
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        tally
    }

    /// So many of them in the network of that process.
    fn run_within(
        &self,
        pid: i32,
        clients: std::ops::Range<usize>,
        (address, path): (SocketAddr, &str),
    ) -> Tally {
        let (client, path) = (self.clone(), path.to_owned());
        in_network(pid, async move || {
            let mut work = JoinSet::new();
            for n in clients {
                work.spawn(client.clone().run(n, address, path.clone()));
            }
            Tally::of_all(work.join_all().await)
        })
    }
}

/// Does it in the network of that process, on a thread that goes there.
fn in_network<T: Send + 'static>(pid: i32, work: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    let network = std::fs::File::open(format!("/proc/{pid}/ns/net")).expect("a network");
    let done = std::thread::spawn(move || {
        setns(network, CloneFlags::CLONE_NEWNET).expect("root changes networks");
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        runtime.block_on(work())
    });
    done.join().expect("a thread")
}

impl Tally {
    fn of_all(tallies: Vec<Self>) -> Self {
        let mut all = Self::default();
        for tally in tallies {
            all.answered += tally.answered;
            all.failed.extend(tally.failed);
            all.cut_off += tally.cut_off;
            all.slow += tally.slow;
            all.slowest = all.slowest.max(tally.slowest);
        }
        all
    }
}

impl Clients {
    /// Programs of the host that ask for that path.
    fn start(address: SocketAddr, path: &str) -> Self {
        let (client, mut work) = (Client::default(), JoinSet::new());
        for n in 0..CLIENTS {
            work.spawn(client.clone().run(n, address, path.to_owned()));
        }
        Self { work, client }
    }

    /// As many in the networks of these processes, in each for the path that its container was told.
    fn start_within(containers: Vec<(i32, String)>, address: SocketAddr) -> Self {
        let (client, mut work) = (Client::default(), JoinSet::new());
        let each = CLIENTS / containers.len();
        for (index, (pid, path)) in containers.into_iter().enumerate() {
            let (client, first) = (client.clone(), index * each);
            let run = move || client.run_within(pid, first..first + each, (address, &path));
            work.spawn_blocking(run);
        }
        Self { work, client }
    }

    /// Waits until the clients have got that many more answers.
    async fn more(&self, count: usize) {
        let wanted = self.client.answered.load(Ordering::Relaxed) + count;
        eventually("clients are answered", async || {
            (self.client.answered.load(Ordering::Relaxed) >= wanted).then_some(())
        })
        .await;
    }

    async fn end(self) -> Tally {
        self.client.stop.cancel();
        Tally::of_all(self.work.join_all().await)
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

/// First process of the container of that task, and the path that it was told.
async fn told(site: &Site, name: &str) -> (i32, String) {
    let (seen, id) = (site.containers().await, site.id(name));
    let found = seen.iter().find(|seen| seen.task.ends_with(&id));
    let path = format!("/containers/{}/json", found.expect("a container").id);
    let body = request(DOCKER_SOCKET, "GET", &path).await.expect("inspect");
    let body = body.json();
    let pid = body["State"]["Pid"].as_i64().expect("a process");
    let env = body["Config"]["Env"].as_array().expect("variables");
    let found = env.iter().find_map(|text| {
        text.as_str()?
            .strip_prefix("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=")
    });
    let path = found.expect("the variable").to_owned();
    (i32::try_from(pid).expect("a process"), path)
}

/// What somebody in the network of that process is answered.
async fn ask_within(pid: i32, address: SocketAddr, path: &str) -> String {
    let path = path.to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        in_network(pid, async move || get(address, &path).await)
    });
    answer.await.expect("a thread").expect("an answer")
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

pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
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
    let by_crash = clients.client.cut_off.load(Ordering::Relaxed);

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

/// Credentials of so many roles have been sealed.
async fn until_kept(site: &Site, roles: usize) {
    let sealed = site.data().join("sealed");
    eventually("credentials are kept", async || {
        let entries = std::fs::read_dir(&sealed).ok()?.flatten();
        let whole = entries.filter(|entry| !entry.file_name().to_string_lossy().ends_with(".new"));
        (whole.count() >= roles).then_some(())
    })
    .await;
}

/// Nobody was refused or slow, and only the crash has cut anybody off.
fn assert_served(tally: &Tally, by_crash: usize) {
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
}

/// The same as containers have it: in their networks, at the real address, and with each id good for its task only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_from_the_networks_of_two_containers_fails_through_all_that() {
    with_site(async |site| {
        let file = site.file(
            "credentials.json",
            &json!({ "AccessKeyId": "DEVKEY", "SecretAccessKey": "dev-secret" }),
        );
        let program = site.path("berth");
        replace(&program, good);
        site.give_address();
        site.berth = std::mem::take(&mut site.berth)
            .env("BERTH_CREDENTIALS", "dev")
            .env("BERTH_CREDENTIALS_FILE", &file)
            .env("BERTH_CREDENTIALS_BINDING", "enforce");
        site.berth.program = Some(program.clone());
        let parent = site.supervised().await;
        let names = ["one", "two"];
        for name in names {
            let mut definition = site.one(name, super::support::view::SERVE);
            definition["taskRoleArn"] = json!("arn:aws:iam::123456789012:role/web");
            definition["networkMode"] = json!("bridge");
            parent.put(name, &definition).await.expect("a put");
        }
        let mut containers = Vec::new();
        for name in names {
            parent.until(name, "RUNNING").await;
            containers.push(told(site, name).await);
        }
        until_kept(site, names.len()).await;
        std::fs::remove_file(&file).expect("the source goes");

        let paths = containers.clone();
        let address = "169.254.170.2:80".parse().expect("an address");
        let clients = Clients::start_within(containers, address);
        let by_crash = crash_and_upgrades(site, &parent, &program, &clients).await;
        assert_served(&clients.end().await, by_crash);
        // The binding is what it was: the other one's id is refused.
        let [(one, _), (_, other)] = paths.as_slice() else {
            panic!("two containers");
        };
        let stolen = ask_within(*one, address, other).await;
        assert!(stolen.contains("InvalidIdInRequest"), "{stolen}");
        assert!(parent.end().await.success());
    })
    .await;
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
        let address = site.listener("task-server").await;
        let (_, path) = told(site, "web").await;
        until_kept(site, 1).await;
        assert!(
            assert_no_secret(site) > 4,
            "the data directory was looked at"
        );
        // From now on only what was kept can be served.
        std::fs::remove_file(&file).expect("the source goes");
        println!("memory of the parent: {} KiB", resident_kib(parent.pid()));

        let clients = Clients::start(address, &path);
        let by_crash = crash_and_upgrades(site, &parent, &program, &clients).await;
        assert_served(&clients.end().await, by_crash);
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
