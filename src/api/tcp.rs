//! Serving routers on a TCP address: connections, their number, and the end.
//!
//! **Invariants.** Connections are owned: when [`TcpServer::run`] returns none is left. Who connects is found out once,
//! when the first head is there, and stays with the connection: silence costs nothing but a place that is given to the
//! next.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{AddExtension, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::{Layer as _, ServiceExt as _};

use super::connection::{Patience, Turned, serve};
use super::doors::{Doors, Inside, Places};
use super::observe::state::ListenerShutdown;
use super::task_server::peer::{Began, Peer};
use crate::boundary::callers::Callers;
use crate::domain::caller::{Caller, Doubt};

/// What a listener takes of its clients.
#[derive(Clone, Copy, Debug)]
pub struct TcpLimits {
    /// Connections open at once on an address: further ones get 503, or the place of one that is silent. An idle one
    /// costs less than 20 KiB, none more than the buffers of its head and its answer.
    pub(super) places: Places,
    pub(super) patience: Patience,
}

impl Default for TcpLimits {
    /// Deadlines of ECS agents for heads and bodies; readers of streams may pause longer than those. A fifth of the
    /// places is for those who have not asked yet, half of that for the host's own programs. Of the others the host as a
    /// whole can have half: a thousand readers of events.
    fn default() -> Self {
        Self {
            places: Places {
                silent_host: 256,
                silent_other: 128,
                silent: 512,
                each: 256,
                known: 2_048,
            },
            patience: Patience {
                head: Duration::from_secs(5),
                body: Duration::from_secs(5),
                write: Duration::from_secs(30),
                grace: Duration::from_secs(5),
            },
        }
    }
}

/// What somebody gets who has too many connections open already.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n\
    Content-Length: 0\r\n\r\n";

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
    limits: TcpLimits,
}

impl TcpServer {
    /// Listens; port 0 is any that is free.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            limits: TcpLimits::default(),
        })
    }

    /// The same with other limits.
    #[cfg(test)]
    pub(super) fn with_limits(mut self, limits: TcpLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves a socket that somebody else has bound and keeps: it listens on when this server has ended.
    ///
    /// # Errors
    /// It is no socket that listens.
    pub fn of(listener: std::net::TcpListener) -> io::Result<Self> {
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            limits: TcpLimits::default(),
        })
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
        let places = Arc::new(Semaphore::new(self.limits.places.all()));
        let doors = Doors::new(self.limits.places);
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
                    let Ok(local) = stream.local_addr() else {
                        continue;
                    };
                    let Some(inside) = doors.enter(peer, local) else {
                        tracing::debug!(listener = served.name, %peer, "too many connections from one address");
                        refuse(stream);
                        continue;
                    };
                    let (served, shutdown) = (served.clone(), shutdown.clone());
                    let patience = self.limits.patience;
                    connections.spawn(async move {
                        converse(stream, (peer, local), inside, served, (patience, shutdown)).await;
                        drop(place);
                    });
                }
                Some(Err(error)) => {
                    tracing::warn!(event = "accept-failed", %error, listener = served.name, "a connection could not be accepted");
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

/// Says no without waiting: what the kernel does not take at once is not said.
fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _said = stream.write(TOO_MANY);
        let _ended = stream.shutdown(std::net::Shutdown::Write);
    }
}

/// Serves a connection until it ends, or until its place is needed while it is silent.
async fn converse(
    stream: TcpStream,
    (peer, local): (SocketAddr, SocketAddr),
    inside: Inside,
    served: Served,
    (patience, shutdown): (Patience, CancellationToken),
) {
    // Answers are written at once and whole: waiting for more would only delay them.
    let _unset = stream.set_nodelay(true);
    let (name, sent_away) = (served.name, inside.sent_away());
    let first = Arc::new(First {
        ends: (peer, local),
        inside,
        served,
        known: OnceCell::new(),
    });
    let answer = tower::service_fn(move |mut request: Request| {
        let first = Arc::clone(&first);
        request.extensions_mut().insert(Began(Instant::now()));
        async move {
            match first.router().await {
                Some(router) => router.clone().oneshot(request).await,
                None => Ok(too_many()),
            }
        }
    });
    let served = serve(stream, answer, patience, shutdown, name);
    if sent_away.run_until_cancelled(served).await.is_none() {
        tracing::debug!(listener = name, %peer, "somebody silent has made room for another");
    }
}

/// A router that knows who asks.
type Answering = AddExtension<Router, Peer>;

/// What is found out when a connection's first request is there.
struct First {
    ends: (SocketAddr, SocketAddr),
    inside: Inside,
    served: Served,
    known: OnceCell<Option<Answering>>,
}

impl First {
    /// What answers the one who has connected; `None` = there is no place for it.
    async fn router(&self) -> Option<&Answering> {
        self.known.get_or_init(|| self.find()).await.as_ref()
    }

    async fn find(&self) -> Option<Answering> {
        let (peer, local) = self.ends;
        if !self.inside.has_asked() {
            return None;
        }
        let caller = self.served.callers.identify(peer, local).await;
        if !self.inside.is(&caller) {
            tracing::debug!(listener = self.served.name, %peer, caller = caller.kind(), "too many connections of one caller");
            return None;
        }
        let router = if peer.ip().to_canonical().is_loopback() {
            self.served.to_host.clone()
        } else {
            self.served.to_others.clone()
        };
        // Who is not found now may be with the next connection, so this one ends with its answer.
        let once = matches!(caller, Caller::Unknown(Doubt::NotFound));
        let router = if once {
            router.layer(map_response(close_after))
        } else {
            router
        };
        Some(Extension(Peer::new(peer, caller)).layer(router))
    }
}

/// [`TOO_MANY`] as an answer.
fn too_many() -> Response {
    let fields = [(CONNECTION, "close"), (RETRY_AFTER, "1")];
    (StatusCode::SERVICE_UNAVAILABLE, fields, Extension(Turned)).into_response()
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
        tracing::error!(event = "connection-panicked", %error, listener, "a connection ended badly");
    }
}
