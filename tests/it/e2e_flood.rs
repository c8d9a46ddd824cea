//! Everybody asks at once and badly: tasks start and stop all the same, and containers are answered.
#![cfg(feature = "e2e")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::agent::{Agent, Site, with_site};
use crate::support::http::get;
use crate::support::view::SERVE;

/// Clients that begin a request and never end it.
const SLOW: usize = 1_000;

/// Clients that ask for the list of tasks again and again, as fast as they are answered.
const FAST: usize = 8;

/// Readers of the event stream that never read.
const STUCK: usize = 100;

/// Tasks started and stopped in a round.
const TASKS: usize = 5;

/// Answers that the clients in a hurry must have got for it to be a flood.
const MANY: u64 = 1_000;

/// Far above the longest that a container waits for an answer meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// One answer, and how long it took.
async fn ask(address: SocketAddr, path: &str) -> (String, Duration) {
    let began = Instant::now();
    let answer = get(address, path).await.expect("an answer");
    (answer, began.elapsed())
}

/// Connections that were opened and wrote that, and do nothing more.
async fn opened(address: SocketAddr, count: usize, text: &str) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        if let Ok(mut stream) = TcpStream::connect(address).await
            && stream.write_all(text.as_bytes()).await.is_ok()
        {
            streams.push(stream);
        }
    }
    streams
}

/// Reads a stream of events that nobody has read so far, up to the first event of that task.
async fn followed(reader: &mut TcpStream, task: &str) {
    let (mut seen, mut part) = (Vec::new(), vec![0; 64 * 1024]);
    let reading = async {
        while !String::from_utf8_lossy(&seen).contains(task) {
            let read = reader.read(&mut part).await.expect("a stream");
            assert!(read > 0, "it ends: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&part[..read]);
        }
    };
    let done = tokio::time::timeout(PATIENCE, reading).await;
    assert!(done.is_ok(), "{task} is not in it");
}

/// Asks until it is ended, over one connection as long as that is kept.
async fn hurry(address: SocketAddr, answered: &AtomicU64) {
    loop {
        let Ok(mut stream) = TcpStream::connect(address).await else {
            continue;
        };
        let mut answer = vec![0; 64 * 1024];
        let request = b"GET /v1/tasks HTTP/1.1\r\nHost: x\r\n\r\n";
        while stream.write_all(request).await.is_ok()
            && matches!(stream.read(&mut answer).await, Ok(1..))
        {
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Tasks that start and stop while a container asks for its metadata; how long the whole took, and its slowest answer.
async fn round(
    site: &Site,
    agent: &Agent,
    name: &str,
    metadata: SocketAddr,
) -> (Duration, Duration) {
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    for number in 0..TASKS {
        let id = format!("{name}{number}");
        agent
            .put(&id, &site.one("flood", SERVE))
            .await
            .expect("a put");
        let (answer, took) = ask(metadata, "/v4/nobody").await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        slowest = slowest.max(took);
    }
    for number in 0..TASKS {
        let id = format!("{name}{number}");
        agent.until(&id, "RUNNING").await;
        agent.stop(&id).await.expect("a stop");
        slowest = slowest.max(ask(metadata, "/v4/nobody").await.1);
    }
    for number in 0..TASKS {
        let task = agent.until(&format!("{name}{number}"), "STOPPED").await;
        assert_eq!(task["containers"][0]["exit"]["code"], 0, "{task:#}");
    }
    (began.elapsed(), slowest)
}

/// Goal: no flood of the introspection listener holds up tasks or what containers ask. Method: clients that never end
/// their head, readers that never read and clients in a hurry, while tasks start and stop on real Docker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_start_and_stop_and_containers_are_answered_in_a_flood_of_clients() {
    static ANSWERED: AtomicU64 = AtomicU64::new(0);
    with_site(async |site| {
        let agent = site.agent(&[]).await;
        let introspection = site.listener("introspection").await;
        let metadata = site.listener("task-server").await;
        let before = round(site, &agent, "calm", metadata).await;
        let slow = opened(introspection, SLOW, "GET /v1/tasks HTTP/1.1\r\nX-Slow: ").await;
        let stuck = "GET /v1/events?follow&after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut stuck = opened(introspection, STUCK, stuck).await;
        assert_eq!(stuck.len(), STUCK);
        let mut fast = JoinSet::new();
        for _ in 0..FAST {
            fast.spawn(hurry(introspection, &ANSWERED));
        }
        let flooded = round(site, &agent, "flood", metadata).await;
        // However slow the host is, it was one.
        let many = async {
            while ANSWERED.load(Ordering::Relaxed) <= MANY {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE * 12, many).await;
        fast.abort_all();
        let answered = ANSWERED.load(Ordering::Relaxed);
        assert!(came.is_ok(), "a flood of {answered} answers is none");
        assert!(flooded.1 < PATIENCE, "a container waited {:?}", flooded.1);
        // They were streams all the while: what happened in the flood was written to them, unread.
        for reader in &mut stuck {
            followed(reader, &site.id("flood0")).await;
        }
        eprintln!(
            "{} slow, {} stuck, {answered} answers; calm {before:?}, flooded {flooded:?}",
            slow.len(),
            stuck.len()
        );
        assert!(agent.end().await.success());
    })
    .await;
}
