//! The introspection listener with its real router on a real address: classic paths as fast as they go, the metrics of
//! 200 containers, and the memory of 1,000 idle readers of the event stream; and containers' metadata. Aims on two cores
//! shared with the load: `/v1/tasks` with 50 tasks 15,000 a second, `/v1/metadata` 40,000, metadata of containers 20,000,
//! metrics below 50 ms, readers below 20 MB.
//! Run by `make bench`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use berth::api::ObserveState;
use berth::api::Surroundings;
use berth::api::introspection::{About, IntrospectionState, classic_routes};
use berth::api::listeners::plain_layers;
use berth::api::observe::Access;
use berth::api::observe::files::wire::TaskFiles;
use berth::api::observe::probes::Check;
use berth::api::observe::superset::superset;
use berth::api::task_server::limits::{RateLimiter, RateLimits};
use berth::api::task_server::metadata::MetadataState;
use berth::api::task_server::requests::read_requests;
use berth::api::task_server::router::task_server_routes;
use berth::api::tcp::{Served, TcpServer};
use berth::api::view::Views;
use berth::app::figures::AgentFigures;
use berth::audit::{self, AuditConfig};
use berth::boundary::Clock as _;
use berth::boundary::callers::UnknownCallers;
use berth::boundary::images::{ImageInventory, Inventory};
use berth::boundary::usage::{UsageRound, UsageSource, UsageTarget};
use berth::domain::ids::{ClusterName, ContainerName, DockerId, TaskArn};
use berth::domain::status::{DesiredStatus, TaskStatus};
use berth::domain::task::{KnownContainer, Task};
use berth::domain::usage::{ContainerSample, CpuUsage};
use berth::metrics::Counted;
use berth::platform::{SystemClock, SystemIds};
use berth::reconcile::detached::{DetachedEngine, detached};
use berth::reconcile::snapshot::{EngineView, Snapshot, TaskView};
use berth::stats::{self, StatsConfig, StatsHandle, Tracked, TrackedContainer};
use berth::testing::credentials::MemoryAudit;
use berth::testing::memory_store::MemoryStore;
use berth::testing::sim::host_facts;
use berth::testing::store_contract::{arn, full_desired, full_known};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections of the load.
const CONNECTIONS: usize = 16;

/// How long each phase lasts.
const PHASE: Duration = Duration::from_secs(5);

/// Readers of the event stream.
const READERS: u64 = 1_000;

/// Times that metrics are asked for.
const SCRAPES: usize = 50;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

struct Nothing;

impl ImageInventory for Nothing {
    fn inventory(&self) -> Inventory {
        Inventory::default()
    }
}

impl Surroundings for Nothing {
    fn checks(&self) -> Vec<Check> {
        Vec::new()
    }

    fn task_files(&self) -> Option<TaskFiles> {
        None
    }
}

/// A kernel that counts the same of everybody.
struct Kernel;

impl UsageSource for Kernel {
    fn read(&self, targets: &[UsageTarget]) -> UsageRound {
        let sample = ContainerSample {
            cpu: CpuUsage {
                total_ns: 1_500_000_000,
                ..CpuUsage::default()
            },
            ..ContainerSample::default()
        };
        let containers = targets
            .iter()
            .map(|target| (target.id.clone(), Ok(sample.clone())));
        UsageRound {
            containers: containers.collect(),
            ..UsageRound::default()
        }
    }
}

/// A task that runs, with so many containers.
fn task(number: usize, containers: usize) -> Fallible<TaskView> {
    let mut known = full_known();
    known.status = TaskStatus::Running;
    known.stop = None;
    let (_, model) = known.containers.pop_first().ok_or("no container")?;
    let mut of_task = BTreeMap::new();
    for at in 0..containers {
        let id = format!("{:064x}", number * 100 + at + 1);
        let container = KnownContainer {
            docker_id: Some(DockerId::parse(&id)?),
            removed: false,
            ..model.clone()
        };
        let name = if at == 0 {
            "app".to_owned()
        } else {
            format!("side{at}")
        };
        of_task.insert(ContainerName::parse(&name)?, container);
    }
    known.containers = of_task;
    let mut desired = full_desired(&format!("{number:032x}"));
    desired.status = DesiredStatus::Running;
    desired.remove = false;
    Ok(TaskView {
        task: Task { desired, known },
        in_flight: Vec::new(),
        planned: Vec::new(),
        timeline: Arc::default(),
    })
}

fn snapshot(tasks: usize, containers: usize) -> Fallible<Snapshot> {
    let mut snapshot = Snapshot {
        engine: Arc::new(EngineView {
            host: Some(Arc::new(host_facts())),
            relisted_at: Some(SystemClock.now()),
            ..EngineView::default()
        }),
        ..Snapshot::default()
    };
    for number in 0..tasks {
        let view = task(number, containers)?;
        snapshot
            .tasks
            .insert(view.task.arn().clone(), Arc::new(view));
    }
    Ok(snapshot)
}

fn tracked(snapshot: &Snapshot) -> Tracked {
    let containers = |view: &TaskView| -> Vec<TrackedContainer> {
        let known = view.task.known.containers.iter();
        let running = known.filter_map(|(name, known)| {
            Some(TrackedContainer {
                name: name.clone(),
                docker_id: known.docker_id.clone()?,
                docker_name: name.to_string(),
            })
        });
        running.collect()
    };
    let tasks = snapshot.tasks.iter();
    Tracked {
        tasks: tasks
            .map(|(arn, view)| (arn.clone(), containers(view)))
            .collect(),
    }
}

/// A listener with everything behind it; ends when dropped.
struct Agent {
    address: SocketAddr,
    _engine: DetachedEngine,
    _work: JoinSet<()>,
    stop: CancellationToken,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn usage(
    snapshot: &Snapshot,
    work: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> StatsHandle {
    let tracked = tracked(snapshot);
    let outside = stats::Outside {
        source: Arc::new(Kernel),
        clock: Arc::new(SystemClock),
        tracked: Arc::new(move || tracked.clone()),
        // Nothing changes.
        changes: watch::channel(0).1,
    };
    let (readings, usage) = stats::service(StatsConfig::default(), outside);
    work.spawn(readings.run(stop.clone()));
    while usage.latest().at.is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    usage
}

async fn serve(tasks: usize, containers: usize) -> Fallible<Agent> {
    let snapshot = snapshot(tasks, containers)?;
    let (mut work, stop) = (JoinSet::new(), CancellationToken::new());
    let usage = usage(&snapshot, &mut work, &stop).await;
    let (handle, engine) = detached(snapshot);
    let no_file = AuditConfig {
        file: None,
        cluster: String::new(),
    };
    let figures = AgentFigures {
        counted: Arc::new(Counted::new()),
        engine: handle.clone(),
        images: Arc::new(Nothing),
        usage: usage.clone(),
        audit: audit::service(no_file, Arc::new(|| None)).1,
        connected: None,
        clock: Arc::new(SystemClock),
    };
    let observe = ObserveState {
        engine: handle.clone(),
        store: Arc::new(MemoryStore::default()),
        images: Arc::new(Nothing),
        figures: Arc::new(figures),
        usage,
        surroundings: Arc::new(Nothing),
        settings: Arc::default(),
        clock: Arc::new(SystemClock),
        cluster: ClusterName::parse("default")?,
    };
    let views = Arc::new(Views::new(handle, "default".to_owned()));
    let about = About {
        cluster: "default".to_owned(),
        version: "berth - v0.0.0 (00000000)".to_owned(),
    };
    let classic = classic_routes(IntrospectionState::new(views, about, Arc::new(|| None)));
    let router = plain_layers(classic.merge(superset(observe, Arc::new(SystemIds), Access::Full)));
    let bound = TcpServer::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = bound.address();
    let served = Served {
        name: "introspection",
        to_host: router.clone(),
        to_others: router,
        callers: Arc::new(UnknownCallers),
    };
    work.spawn(bound.run(served, stop.clone()));
    Ok(Agent {
        address,
        _engine: engine,
        _work: work,
        stop,
    })
}

/// The metadata paths of containers, without the limits of each: the load comes from one address. The path of one
/// container is given beside it.
async fn serve_metadata(tasks: usize) -> Fallible<(Agent, String)> {
    let snapshot = snapshot(tasks, 1)?;
    let endpoint = snapshot.tasks.values().find_map(|view| {
        let mut ids = view.task.desired.ids.endpoints.values();
        ids.next().map(|id| format!("/v4/{}", id.expose()))
    });
    let (mut work, stop) = (JoinSet::new(), CancellationToken::new());
    let usage = usage(&snapshot, &mut work, &stop).await;
    let (handle, engine) = detached(snapshot);
    let views = Arc::new(Views::new(handle, "default".to_owned()));
    let routes = task_server_routes(MetadataState::new(views, Arc::new(usage)));
    let (audit, clock) = (Arc::new(MemoryAudit::default()), Arc::new(SystemClock));
    let limiter = RateLimiter::new(RateLimits::default(), audit, clock);
    let answers = read_requests(plain_layers(routes), limiter);
    let bound = TcpServer::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = bound.address();
    let served = Served {
        name: "task-server",
        to_host: answers.clone(),
        to_others: answers,
        callers: Arc::new(UnknownCallers),
    };
    work.spawn(bound.run(served, stop.clone()));
    let agent = Agent {
        address,
        _engine: engine,
        _work: work,
        stop,
    };
    Ok((agent, endpoint.ok_or("no endpoint")?))
}

/// Resident memory of this process, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// One request on a connection that stays open; bytes of the body.
async fn ask(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> Fallible<usize> {
    stream.write_all(request).await?;
    buffer.clear();
    let (mut body_at, mut wanted) = (0, usize::MAX);
    while buffer.len() < wanted {
        if stream.read_buf(buffer).await? == 0 {
            return Err("the connection ended".into());
        }
        if body_at == 0
            && let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n")
        {
            let head = std::str::from_utf8(buffer.get(..at).unwrap_or_default())?;
            if !head.starts_with("HTTP/1.1 200 ") {
                return Err(format!("answered: {head}").into());
            }
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            body_at = at + 4;
            wanted = body_at + length.ok_or("no length")?.parse::<usize>()?;
        }
    }
    Ok(buffer.len() - body_at)
}

/// Asks as fast as it goes; requests and bytes of one body.
async fn load(address: SocketAddr, path: String, stop: Arc<AtomicBool>) -> (u64, usize) {
    let (mut count, mut length) = (0, 0);
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return (count, length);
    };
    let _unset = stream.set_nodelay(true);
    let (request, mut buffer) = (request(&path), Vec::with_capacity(256 * 1024));
    while !stop.load(Ordering::Relaxed) {
        match ask(&mut stream, &request, &mut buffer).await {
            Ok(bytes) => (count, length) = (count + 1, bytes),
            Err(_) => return (0, 0),
        }
    }
    (count, length)
}

#[expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
async fn throughput(address: SocketAddr, path: &str) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut loads = JoinSet::new();
    for _ in 0..CONNECTIONS {
        loads.spawn(load(address, path.to_owned(), Arc::clone(&stop)));
    }
    tokio::time::sleep(PHASE).await;
    stop.store(true, Ordering::Relaxed);
    let done = loads.join_all().await;
    let count: u64 = done.iter().map(|(count, _)| count).sum();
    let length = done.first().map_or(0, |(_, length)| *length);
    let rate = count / PHASE.as_secs();
    println!("{path:<46} {rate:>7} req/s  {length} bytes each, {CONNECTIONS} connections");
}

#[expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
async fn metrics() -> Fallible<()> {
    let agent = serve(100, 2).await?;
    let mut stream = TcpStream::connect(agent.address).await?;
    let (request, mut buffer) = (request("/metrics"), Vec::new());
    let (mut times, mut length) = (Vec::new(), 0);
    for _ in 0..SCRAPES {
        let began = Instant::now();
        length = ask(&mut stream, &request, &mut buffer).await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let at = |per_cent: usize| times.get(times.len() * per_cent / 100).copied();
    let (median, slowest) = (
        at(50).unwrap_or_default(),
        times.last().copied().unwrap_or_default(),
    );
    let (median, slowest) = (median.as_secs_f64() * 1e3, slowest.as_secs_f64() * 1e3);
    println!(
        "/metrics with 100 tasks of 2 containers        median {median:.2} ms, slowest {slowest:.2} ms, {length} bytes"
    );
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
async fn readers() -> Fallible<()> {
    let agent = serve(1, 1).await?;
    let request = request("/v1/events?follow&after=latest");
    // What the first one costs is not a reader's.
    let mut open = vec![reader(agent.address, &request).await?];
    let before = resident_kib();
    for _ in 0..READERS {
        open.push(reader(agent.address, &request).await?);
    }
    let grown = resident_kib().saturating_sub(before);
    println!(
        "{READERS} idle readers of the event stream        {grown} KiB, their own ends included"
    );
    Ok(())
}

/// An event stream whose head has come.
async fn reader(address: SocketAddr, request: &[u8]) -> Fallible<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut head = [0; 512];
    let length = stream.read(&mut head).await?;
    let head = head.get(..length).unwrap_or_default();
    if head.starts_with(b"HTTP/1.1 200 ") {
        Ok(stream)
    } else {
        Err(String::from_utf8_lossy(head).into_owned().into())
    }
}

async fn measure() -> Fallible<()> {
    readers().await?;
    let agent = serve(50, 1).await?;
    let first: TaskArn = arn(&format!("{:032x}", 0));
    for path in [
        "/v1/metadata".to_owned(),
        "/v1/tasks".to_owned(),
        format!("/v1/tasks?taskarn={first}"),
        "/v1/why".to_owned(),
        "/healthz".to_owned(),
    ] {
        throughput(agent.address, &path).await;
    }
    metrics().await?;
    let (agent, container) = serve_metadata(50).await?;
    for path in [
        container.clone(),
        format!("{container}/task"),
        format!("{container}/stats"),
    ] {
        throughput(agent.address, &path).await;
    }
    Ok(())
}

fn main() -> Fallible<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(measure())
}
