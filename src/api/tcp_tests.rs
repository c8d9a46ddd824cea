//! A server on a real address of loopback, its good clients and its bad ones.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use axum::routing::{any, post};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::admin::testing::{Rig, event, snapshot_of};
use super::connection::Patience;
use super::doors::Places;
use super::listeners::plain_layers;
use super::observe::Access;
use super::observe::superset::superset;
use super::task_server::peer::{Began, Peer};
use super::tcp::{Served, TcpLimits, TcpServer};
use crate::boundary::callers::{Callers, UnknownCallers};
use crate::domain::caller::{Caller, Doubt};
use crate::testing::store_contract::desired;

/// Far above what anything here takes.
const LIMIT: Duration = Duration::from_mins(1);

/// Limits that are reached within a test.
fn tight() -> TcpLimits {
    TcpLimits {
        places: Places {
            silent_host: 6,
            silent_other: 1,
            silent: 7,
            each: 3,
            known: 12,
        },
        patience: Patience {
            head: Duration::from_secs(3),
            body: Duration::from_secs(3),
            write: Duration::from_secs(3),
            grace: Duration::from_secs(5),
        },
    }
}

/// A server on a free port; ends when dropped.
struct Serving {
    address: SocketAddr,
    shutdown: CancellationToken,
    running: JoinSet<()>,
}

impl Serving {
    async fn start(limits: TcpLimits, routes: Router) -> Self {
        Self::of(limits, routes, Arc::new(UnknownCallers)).await
    }

    async fn of(limits: TcpLimits, routes: Router, callers: Arc<dyn Callers>) -> Self {
        let bound = TcpServer::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let bound = bound.unwrap().with_limits(limits);
        let served = Served {
            name: "test",
            to_host: routes,
            to_others: Router::new(),
            callers,
        };
        let (address, shutdown) = (bound.address(), CancellationToken::new());
        let mut running = JoinSet::new();
        running.spawn(bound.run(served, shutdown.clone()));
        Self {
            address,
            shutdown,
            running,
        }
    }

    /// Tells who asks, and how long what they send is.
    async fn with(limits: TcpLimits) -> Self {
        Self::start(limits, routes()).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// From an address of loopback that ends so.
    async fn connect_from(&self, end: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, end], 0).into()).unwrap();
        socket.connect(self.address).await.unwrap()
    }
}

fn routes() -> Router {
    let who = any(|peer: Peer| async move { peer.address().to_string() });
    let length = post(|body: Bytes| async move { body.len().to_string() });
    plain_layers(Router::new().route("/who", who).route("/length", length))
}

/// Each address of loopback is a task's; counts how often it was asked.
#[derive(Default)]
struct Tasks(AtomicUsize);

#[async_trait]
impl Callers for Tasks {
    async fn identify(&self, peer: SocketAddr, _: SocketAddr) -> Caller {
        self.0.fetch_add(1, Ordering::Relaxed);
        let id = peer.ip().to_string().replace('.', "-");
        Caller::Task(desired(&id, 1).arn)
    }
}

async fn exchange(stream: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// Everything until the other side closes; a connection that is reset has ended too.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer));
    let _ended = read.await.expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn each_request_of_a_connection_knows_the_other_end() {
    let server = Serving::with(TcpLimits::default()).await;
    let mut stream = server.connect().await;
    let own = stream.local_addr().unwrap().to_string();
    for _ in 0..2 {
        let answer = exchange(&mut stream, "/who").await;
        assert!(answer.ends_with(&own), "{answer}");
    }
}

#[tokio::test]
async fn shutdown_ends_idle_connections_and_frees_the_address() {
    let mut server = Serving::with(TcpLimits::default()).await;
    let mut stream = server.connect().await;
    exchange(&mut stream, "/who").await;
    server.shutdown.cancel();
    server.running.join_next().await.unwrap().unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn whoever_has_connected_before_the_end_is_answered_though_the_request_comes_after_it() {
    let mut server = Serving::with(TcpLimits::default()).await;
    let mut early = server.connect().await;
    let mut silent = server.connect().await;
    // It is accepted: the one before it is answered.
    let mut third = server.connect().await;
    assert!(
        exchange(&mut third, "/who")
            .await
            .starts_with("HTTP/1.1 200")
    );
    server.shutdown.cancel();
    assert_eq!(rest(&mut third).await, "", "an idle one is let go");
    let answer = exchange(&mut early, "/who").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(rest(&mut silent).await, "", "silence is not waited for");
    server.running.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error() {
    let server = Serving::with(TcpLimits::default()).await;
    let error = TcpServer::bind(server.address).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_closes_the_connection() {
    let server = Serving::with(tight()).await;
    let mut silent = server.connect().await;
    let mut half = server.connect().await;
    half.write_all(b"GET /who HTTP/1.1\r\nHo").await.unwrap();
    let mut idle = server.connect().await;
    exchange(&mut idle, "/who").await;
    for stream in [&mut silent, &mut half, &mut idle] {
        assert_eq!(rest(stream).await, "", "closed without a word");
    }
}

#[tokio::test]
async fn a_head_that_drips_is_given_up_however_evenly_it_drips() {
    let server = Serving::with(tight()).await;
    let mut stream = server.connect().await;
    let began = Instant::now();
    let mut sent = 0_u32;
    // A byte at a time, each well within the deadline; the connection breaks when the head has taken too long.
    while began.elapsed() < LIMIT {
        if stream.write_all(b"G").await.is_err() {
            break;
        }
        sent += 1;
        let _woken = tokio::time::timeout(Duration::from_millis(20), stream.readable()).await;
        if matches!(stream.try_read(&mut [0; 8]), Ok(0)) {
            break;
        }
    }
    assert!(began.elapsed() < LIMIT, "{sent} bytes were taken");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let server = Serving::with(TcpLimits::default()).await;
    let mut stream = server.connect().await;
    let line = format!("X-Long: {}\r\n", "x".repeat(60_000));
    let request = format!("GET /who HTTP/1.1\r\nHost: localhost\r\n{line}\r\n");
    stream.write_all(request.as_bytes()).await.expect("taken");
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn what_is_no_http_is_400() {
    let server = Serving::with(TcpLimits::default()).await;
    for bad in [
        "\x16\x03\x01\x02\0\x01\0",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(bad.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{bad:?}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413_and_one_that_is_too_slow_408() {
    let server = Serving::with(tight()).await;
    let post = "POST /length HTTP/1.1\r\nHost: localhost\r\n";
    let mut large = server.connect().await;
    let head = format!("{post}Content-Length: 70000\r\n\r\n");
    large.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut large).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

    let mut chunked = server.connect().await;
    let head = format!("{post}Transfer-Encoding: chunked\r\n\r\n11171\r\n");
    chunked.write_all(head.as_bytes()).await.unwrap();
    let _sent = chunked.write_all(&vec![b'x'; 70_001]).await;
    let answer = rest(&mut chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

    let mut slow = server.connect().await;
    let head = format!("{post}Content-Length: 9\r\n\r\nabc");
    slow.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");

    let mut good = server.connect().await;
    let whole = format!("{post}Content-Length: 3\r\n\r\nabc");
    good.write_all(whole.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let length = good.read(&mut answer).await.unwrap();
    assert!(answer[..length].ends_with(b"\r\n\r\n3"));
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_then_503() {
    let mut limits = tight();
    limits.patience.head = LIMIT;
    let server = Serving::with(limits).await;
    let mut open = Vec::new();
    for _ in 0..6 {
        let mut stream = server.connect().await;
        exchange(&mut stream, "/who").await;
        open.push(stream);
    }
    let mut further = server.connect().await;
    let answer = exchange(&mut further, "/who").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    drop(open.pop());
    loop {
        let mut stream = server.connect().await;
        if exchange(&mut stream, "/who")
            .await
            .starts_with("HTTP/1.1 200 ")
        {
            break;
        }
    }
}

#[tokio::test]
async fn a_silent_one_gives_way_to_a_newcomer_and_costs_no_look() {
    let mut limits = tight();
    limits.patience.head = LIMIT;
    let callers = Arc::new(Tasks::default());
    let server = Serving::of(limits, routes(), callers.clone()).await;
    let mut silent = Vec::new();
    for number in 0..40 {
        let mut stream = server.connect().await;
        if number % 2 == 0 {
            stream.write_all(b"GET /who HTTP/1.1\r\nHo").await.unwrap();
        }
        silent.push(stream);
    }
    for _ in 0..10 {
        let mut stream = server.connect_from(2).await;
        let answer = exchange(&mut stream, "/who").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert_eq!(rest(&mut silent[0]).await, "", "the first has made room");
    assert_eq!(callers.0.load(Ordering::Relaxed), 10);
}

/// Takes its time.
struct Slow(Duration);

#[async_trait]
impl Callers for Slow {
    async fn identify(&self, _: SocketAddr, _: SocketAddr) -> Caller {
        tokio::time::sleep(self.0).await;
        Caller::Unknown(Doubt::Unsupported)
    }
}

#[tokio::test]
async fn a_request_begins_before_anybody_is_asked_whose_it_is() {
    let takes = Duration::from_millis(200);
    let since = any(|began: Began| async move { began.0.elapsed().as_millis().to_string() });
    let routes = plain_layers(Router::new().route("/since", since));
    let server = Serving::of(TcpLimits::default(), routes, Arc::new(Slow(takes))).await;
    let mut stream = server.connect().await;
    let answer = exchange(&mut stream, "/since").await;
    let millis = answer
        .rsplit("\r\n")
        .next()
        .and_then(|text| text.parse::<u128>().ok());
    assert!(millis.expect("a number") >= takes.as_millis(), "{answer}");
}

#[tokio::test]
async fn a_task_that_has_all_its_places_gets_503_and_another_at_the_same_address_does_not() {
    let mut limits = tight();
    limits.patience.head = LIMIT;
    let server = Serving::of(limits, routes(), Arc::new(Tasks::default())).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect_from(2).await;
        let answer = exchange(&mut stream, "/who").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        open.push(stream);
    }
    let mut further = server.connect_from(2).await;
    let answer = exchange(&mut further, "/who").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    assert_eq!(rest(&mut further).await, "", "it is closed");
    let mut other = server.connect_from(3).await;
    let answer = exchange(&mut other, "/who").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// Goal: readers of the event stream that take nothing end by themselves, and meanwhile hold up nobody. Method: one
/// connection that asks for the stream and never reads, one that reads, far more events than buffers hold.
#[tokio::test]
async fn a_reader_that_takes_nothing_is_let_go_and_costs_the_others_nothing() {
    let rig = Rig::new(snapshot_of([]));
    let observe = rig.state.observe.clone();
    let routes = superset(observe, Arc::clone(&rig.state.ids), Access::Full);
    let server = Serving::start(tight(), plain_layers(routes)).await;
    let publisher = rig.engine.publisher().clone();
    let follow = b"GET /v1/events?after=latest&follow HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut stuck = server.connect().await;
    stuck.write_all(follow).await.unwrap();
    let mut good = server.connect().await;
    good.write_all(follow).await.unwrap();
    let ended = async {
        while publisher.listeners() < 2 {
            tokio::task::yield_now().await;
        }
        let mut taken = vec![0; 256 * 1024];
        let mut sequence = 0;
        while publisher.listeners() > 1 {
            for _ in 0..100 {
                sequence += 1;
                publisher.emit(event(sequence, "a"));
            }
            let read = good.read(&mut taken).await.unwrap();
            assert!(read > 0, "the good reader is served all the while");
        }
        sequence
    };
    let sequence = tokio::time::timeout(LIMIT, ended).await.expect("in time");
    // Nothing is lost to the one that reads: it has kept up with the last event.
    let last = format!("number {sequence}");
    let mut text = String::new();
    let mut taken = vec![0; 64 * 1024];
    publisher.emit(event(sequence + 1, "a"));
    let end = format!("number {}\"", sequence + 1);
    while !text.contains(&end) {
        let read = tokio::time::timeout(LIMIT, good.read(&mut taken)).await;
        let read = read.expect("in time").unwrap();
        assert!(read > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&taken[..read]));
    }
    assert!(!text.contains("\"type\":\"end\""), "{last}: {text}");
}
