//! One HTTP/1.1 connection, to its end: with a deadline for each head, one for a reader that takes nothing, and a
//! grace after shutdown began.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt as _};

use super::write_deadline::WriteDeadline;

/// Limits of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From the connection, or the end of an answer, to the end of the next request's head.
    pub(super) head: Duration,
    /// How long somebody who asks may take nothing of the answer.
    pub(super) write: Duration,
    /// How long requests may finish after shutdown began.
    pub(super) grace: Duration,
}

/// Serves until the other end has gone, or the grace after `shutdown` is over. `listener` is for the log.
pub(super) async fn serve<S, R>(
    stream: S,
    router: R,
    patience: Patience,
    shutdown: CancellationToken,
    listener: &'static str,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    R: Service<Request, Response = Response, Error = Infallible> + Clone,
{
    let io = TokioIo::new(WriteDeadline::new(stream, patience.write));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head);
    let router = router.map_request(|request: Request<Incoming>| request.map(Body::new));
    let mut connection = pin!(builder.serve_connection(io, TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        // Cancellation is a state, not an event.
        () = shutdown.cancelled() => None,
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        let Ok(ended) = tokio::time::timeout(patience.grace, connection).await else {
            tracing::warn!(listener, "a request was cut off by shutdown");
            return;
        };
        ended
    };
    if let Err(error) = ended {
        tracing::debug!(%error, listener, "a connection broke");
    }
}
