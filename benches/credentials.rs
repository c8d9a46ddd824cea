//! Requests for credentials the way the agent serves them, with its server, who calls, limits and the record: how many
//! a second, how fast, what a flooding task does to the others, and the memory of 1,000 tasks. Aims: 25,000 a second on
//! two cores shared with the load, p99 below 5 ms, no refusal for others, 5 MB.
//! Run by `make bench`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use berth::api::listeners::task_server_layers;
use berth::api::task_server::credentials::{CredentialsState, credentials_routes, encode};
use berth::api::task_server::limits::{RateLimiter, RateLimits};
use berth::api::task_server::requests::read_requests;
use berth::api::tcp::{Served, TcpServer};
use berth::audit::{self, AuditConfig};
use berth::boundary::callers::Callers;
use berth::boundary::credentials::{CredentialsSource, NoKeeper, RoleReadiness, TaskRoles as _};
use berth::boundary::{BoundaryError, Clock};
use berth::credentials::{CredentialsConfig, CredentialsHandle, Outside, service};
use berth::domain::caller::{Caller, Doubt};
use berth::domain::credentials::{Credentials, Expiration, RoleGrant, RoleKind};
use berth::platform::rotating::FileConfig;
use berth::platform::{SystemClock, SystemIds};
use berth::testing::credentials::grant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Tasks that ask.
const TASKS: u32 = 100;

/// Connections of the load at full speed.
const CONNECTIONS: u32 = 64;

/// How long each phase lasts.
const PHASE: Duration = Duration::from_secs(5);

/// Requests a second of each well-behaved task.
const POLITE: u64 = 5;

/// Length of a session token as STS makes them.
const TOKEN_BYTES: usize = 1200;

struct Source;

#[async_trait]
impl CredentialsSource for Source {
    async fn fetch(&self, _grant: &RoleGrant) -> Result<Credentials, BoundaryError> {
        Ok(Credentials {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned().into(),
            secret_access_key: "s".repeat(40).into(),
            session_token: "t".repeat(TOKEN_BYTES).into(),
            expiration: Expiration {
                text: "2036-01-02T03:04:05Z".to_owned(),
                at: SystemClock.now().plus(Duration::from_hours(1)),
            },
        })
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}

/// Address of the task with that number, as a container has one.
fn source(n: u32) -> Ipv4Addr {
    let [.., high, low] = n.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// Knows tasks by those addresses, so that each may have its own credentials only.
struct ByAddress;

#[async_trait]
impl Callers for ByAddress {
    async fn identify(&self, peer: SocketAddr, _local: SocketAddr) -> Caller {
        match peer.ip() {
            IpAddr::V4(ip) => {
                let [.., high, low] = ip.octets();
                Caller::Task(grant(u32::from(high) * 256 + u32::from(low)).owner)
            }
            IpAddr::V6(_) => Caller::Unknown(Doubt::Unsupported),
        }
    }
}

/// Resident memory of this process, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// One request on a connection that stays open; the status.
async fn ask(stream: &mut TcpStream, request: &[u8], buffer: &mut [u8]) -> std::io::Result<u16> {
    stream.write_all(request).await?;
    let mut length = 0;
    loop {
        let read = stream
            .read(buffer.get_mut(length..).unwrap_or_default())
            .await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        length += read;
        let answer = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            continue;
        };
        let wanted = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .and_then(|number| number.parse().ok())
            .unwrap_or(0);
        if body.len() >= wanted {
            let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
            return Ok(status.unwrap_or(0));
        }
    }
}

fn request(n: u32) -> Vec<u8> {
    let path = format!("/v2/credentials/{}", grant(n).id.expose());
    format!("GET {path} HTTP/1.1\r\nhost: 169.254.170.2\r\nuser-agent: bench\r\n\r\n").into_bytes()
}

/// Asks for one task's credentials until told to stop; latencies in microseconds, and refusals.
async fn load(
    address: std::net::SocketAddr,
    n: u32,
    pause: Option<Duration>,
    stop: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
) -> std::io::Result<Vec<u32>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((source(n), 0)))?;
    let mut stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    let (request, mut buffer) = (request(n), vec![0; 16 * 1024]);
    let mut latencies = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        if ask(&mut stream, &request, &mut buffer).await? != 200 {
            refused.fetch_add(1, Ordering::Relaxed);
        }
        latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(latencies)
}

/// Runs these loads together for one phase: all latencies, sorted, and refusals, of each group.
async fn phase(
    address: std::net::SocketAddr,
    groups: &[(Vec<u32>, Option<Duration>)],
) -> Vec<(Vec<u32>, u64)> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut running = Vec::new();
    for (tasks, pause) in groups {
        let (mut loads, refused) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
        for n in tasks {
            loads.spawn(load(
                address,
                *n,
                *pause,
                Arc::clone(&stop),
                Arc::clone(&refused),
            ));
        }
        running.push((loads, refused));
    }
    tokio::time::sleep(PHASE).await;
    stop.store(true, Ordering::Relaxed);
    let mut results = Vec::new();
    for (loads, refused) in running {
        let ended = loads.join_all().await;
        let mut latencies: Vec<u32> = ended.into_iter().flatten().flatten().collect();
        latencies.sort_unstable();
        results.push((latencies, refused.load(Ordering::Relaxed)));
    }
    results
}

fn percentile(sorted: &[u32], per_mille: usize) -> f64 {
    let index = sorted.len().saturating_sub(1) * per_mille / 1000;
    f64::from(sorted.get(index).copied().unwrap_or(0)) / 1000.0
}

#[expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn show(what: &str, (latencies, refused): &(Vec<u32>, u64)) {
    let rate = u64::try_from(latencies.len()).unwrap_or(0) / PHASE.as_secs();
    let (median, p99) = (percentile(latencies, 500), percentile(latencies, 990));
    println!("{what:<46} {rate:>7} req/s  p50 {median:.2} ms  p99 {p99:.2} ms  {refused} refused");
}

async fn all_ready(handle: &CredentialsHandle, grants: Vec<RoleGrant>) {
    let ids: Vec<_> = grants.iter().map(|grant| grant.id.clone()).collect();
    handle.set_wanted(grants);
    for id in ids {
        while handle.readiness(&id) != Some(RoleReadiness::Ready) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// What credentials need in RAM.
#[expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
async fn memory(handle: &CredentialsHandle) {
    let both = |n| {
        let execution = RoleGrant {
            kind: RoleKind::Execution,
            ..grant(n + 10_000)
        };
        [grant(n), execution]
    };
    all_ready(handle, both(1).to_vec()).await;
    let before = resident_kib();
    all_ready(handle, (0..1000).map(grant).collect()).await;
    let grown = resident_kib().saturating_sub(before);
    println!("credentials of 1,000 tasks: {grown} KiB");
    all_ready(handle, (0..1000).flat_map(both).collect()).await;
    let grown = resident_kib().saturating_sub(before);
    println!("with those of their execution roles: {grown} KiB");
}

#[expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
async fn measure() -> Result<(), Box<dyn std::error::Error>> {
    let clock = Arc::new(SystemClock);
    let outside = Outside {
        source: Arc::new(Source),
        keeper: Arc::new(NoKeeper),
        clock: clock.clone(),
        ids: Arc::new(SystemIds),
        encode,
    };
    let (service, handle) = service(&CredentialsConfig::default(), outside);
    let dir = tempfile::tempdir()?;
    let config = AuditConfig {
        file: Some(FileConfig {
            path: dir.path().join("audit.log"),
            max_bytes: 5_000_000,
            max_files: 2,
        }),
        cluster: String::new(),
    };
    let (writer, audit) = audit::service(config, Arc::new(|| None));
    let stop = CancellationToken::new();
    let mut work = JoinSet::new();
    work.spawn(service.run(stop.clone()));
    work.spawn(writer.run(stop.clone()));

    memory(&handle).await;

    let record = Arc::new(audit.clone());
    let limiter = RateLimiter::new(RateLimits::default(), record.clone(), clock.clone());
    let routes = credentials_routes(CredentialsState::new(handle, record, clock));
    let routes = read_requests(task_server_layers(routes, limiter.clone()), limiter);
    let bound = TcpServer::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = bound.address();
    let served = Served {
        name: "task-server",
        to_host: routes.clone(),
        to_others: routes,
        callers: Arc::new(ByAddress),
    };
    work.spawn(bound.run(served, stop.clone()));

    let full: Vec<u32> = (0..CONNECTIONS).map(|n| n % TASKS).collect();
    for result in phase(address, &[(full, None)]).await {
        show("as fast as it goes, 64 connections", &result);
    }
    let polite = || {
        (
            (1..TASKS).collect(),
            Some(Duration::from_millis(1000 / POLITE)),
        )
    };
    for result in phase(address, &[polite()]).await {
        show("99 tasks, 5 a second each, alone", &result);
    }
    let flood = (vec![0; 8], None);
    let results = phase(address, &[polite(), flood]).await;
    for (what, result) in ["the same beside one that floods", "the one that floods"]
        .iter()
        .zip(&results)
    {
        show(what, result);
    }
    println!("entries missing in the audit log: {}", audit.dropped());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(measure())
}
