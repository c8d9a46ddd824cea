//! Serving routers on a TCP address: connections, their number, and the end.
//!
//! **Invariants.** Connections are owned: when [`TcpServer::run`] returns none is left. Who connects is found out once
//! and stays with the connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::map_response;
use axum::response::Response;
use axum::{Extension, Router};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;

use super::connection::{Patience, serve};
use super::observe::state::ListenerShutdown;
use super::task_server::peer::Peer;
use crate::boundary::callers::Callers;
use crate::domain::caller::{Caller, Doubt};

/// Connections open at once on an address; further ones wait in the kernel's queue. Each costs less than 20 KiB.
pub const MAX_CONNECTIONS: usize = 2_048;

/// Deadlines of ECS agents for heads; readers of streams may pause longer than those.
const PATIENCE: Patience = Patience {
    head: Duration::from_secs(5),
    write: Duration::from_secs(30),
    grace: Duration::from_secs(5),
};

/// Wait after an `accept` that failed, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is served on an address.
#[derive(Clone)]
pub struct Served {
    /// Names the listener in the log.
    pub name: &'static str,
    /// For programs on this host.
    pub to_host: Router,
    /// For everybody else.
    pub to_others: Router,
    /// Finds out who connects.
    pub callers: Arc<dyn Callers>,
}

/// A bound address.
#[derive(Debug)]
pub struct TcpServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl TcpServer {
    /// Listens; port 0 is any that is free.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then lets requests finish for five seconds.
    pub async fn run(self, mut served: Served, shutdown: CancellationToken) {
        let closing = Extension(ListenerShutdown(shutdown.clone()));
        served.to_host = served.to_host.layer(closing.clone());
        served.to_others = served.to_others.layer(closing);
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            while let Some(ended) = connections.try_join_next() {
                report(ended, served.name);
            }
            let accepted = tokio::select! {
                // A permit or connection that is dropped here was not handed to anybody.
                accepted = accept(&self.listener, &places) => Some(accepted),
                // Cancellation is a state, not an event.
                () = shutdown.cancelled() => None,
            };
            match accepted {
                None => break,
                Some(Ok((stream, peer, place))) => {
                    let (served, shutdown) = (served.clone(), shutdown.clone());
                    connections.spawn(async move {
                        converse(stream, peer, served, shutdown).await;
                        drop(place);
                    });
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, listener = served.name, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        while let Some(ended) = connections.join_next().await {
            report(ended, served.name);
        }
    }
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    served: Served,
    shutdown: CancellationToken,
) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    // Answers are written at once and whole: waiting for more would only delay them.
    let _unset = stream.set_nodelay(true);
    let caller = served.callers.identify(peer, local).await;
    let router = if peer.ip().to_canonical().is_loopback() {
        served.to_host
    } else {
        served.to_others
    };
    // Who is not found now may be with the next connection, so this one ends with its answer.
    let once = matches!(caller, Caller::Unknown(Doubt::NotFound));
    let router = if once {
        router.layer(map_response(close_after))
    } else {
        router
    };
    let router = Extension(Peer::new(peer, caller)).layer(router);
    serve(stream, router, PATIENCE, shutdown, served.name).await;
}

async fn close_after(mut response: Response) -> Response {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

fn report(ended: Result<(), tokio::task::JoinError>, listener: &str) {
    if let Err(error) = ended {
        tracing::error!(%error, listener, "a connection ended badly");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::any;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::boundary::callers::UnknownCallers;

    async fn exchange(stream: &mut TcpStream, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 1024];
        let length = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    /// A server on a free port, and how to end it.
    async fn serving() -> (SocketAddr, CancellationToken, JoinSet<()>) {
        let who = any(|peer: Peer| async move { peer.address().to_string() });
        let bound = TcpServer::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let bound = bound.unwrap();
        let served = Served {
            name: "test",
            to_host: Router::new().route("/who", who),
            to_others: Router::new(),
            callers: Arc::new(UnknownCallers),
        };
        let (address, shutdown) = (bound.address(), CancellationToken::new());
        let mut running = JoinSet::new();
        running.spawn(bound.run(served, shutdown.clone()));
        (address, shutdown, running)
    }

    #[tokio::test]
    async fn each_request_of_a_connection_knows_the_other_end() {
        let (address, _shutdown, _running) = serving().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let own = stream.local_addr().unwrap().to_string();
        for _ in 0..2 {
            let answer = exchange(&mut stream, "/who").await;
            assert!(answer.ends_with(&own), "{answer}");
        }
    }

    #[tokio::test]
    async fn shutdown_ends_idle_connections_and_frees_the_address() {
        let (address, shutdown, mut running) = serving().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        exchange(&mut stream, "/who").await;
        shutdown.cancel();
        running.join_next().await.unwrap().unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_an_error() {
        let (address, _shutdown, _running) = serving().await;
        let error = TcpServer::bind(address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
