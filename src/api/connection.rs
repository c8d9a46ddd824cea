//! One HTTP/1.1 connection, to its end: with a deadline for each head and each body, one for a reader that takes
//! nothing, and a grace after shutdown began.
//!
//! A head that comes too slowly ends the connection without an answer (there is nobody to answer yet), one that is too
//! large gets 431, a body that comes too slowly 408. Whoever is answered before its body was read may send the rest.

use std::convert::Infallible;
use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt as _};

use super::lingering::{Lingering, Unread};
use super::timed_body::{Late, TimedBody};
use super::write_deadline::WriteDeadline;

/// Limits of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From the connection, or the end of an answer, to the end of the next request's head.
    pub(super) head: Duration,
    /// From the end of a request's head to the end of its body, however evenly it drips.
    pub(super) body: Duration,
    /// How long somebody who asks may take nothing of the answer.
    pub(super) write: Duration,
    /// How long requests may finish after shutdown began.
    pub(super) grace: Duration,
}

/// Marks the answer to somebody who has no place here, and is given none to send the rest of a body from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turned;

/// Largest head of a request, and most of an answer that waits to be written, in bytes.
const BUFFER_BYTES: usize = 32 * 1024;

/// How long a client that has just connected has for its first request after shutdown began: it is on its way.
const NEWCOMER: Duration = Duration::from_millis(500);

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
    let unread = Unread::default();
    let stream = Lingering::new(WriteDeadline::new(stream, patience.write), unread.clone());
    let io = TokioIo::new(stream);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .max_buf_size(BUFFER_BYTES)
        .header_read_timeout(patience.head);
    let asked = AtomicBool::new(false);
    let begun = &asked;
    let answering = tower::service_fn(move |request: Request<Incoming>| {
        begun.store(true, Ordering::Relaxed);
        answer(router.clone(), request, patience.body, unread.clone())
    });
    let mut connection = pin!(builder.serve_connection(io, TowerToHyperService::new(answering)));
    let mut ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        // Cancellation is a state, not an event.
        () = shutdown.cancelled() => None,
    };
    if ended.is_none() {
        // hyper would turn away unread whoever has just connected, with the request on its way.
        let first = poll_fn(|context| match connection.as_mut().poll(context) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if asked.load(Ordering::Relaxed) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        ended = tokio::time::timeout(NEWCOMER, first).await.unwrap_or(None);
    }
    let ended = if let Some(ended) = ended {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        let Ok(ended) = tokio::time::timeout(patience.grace, connection).await else {
            tracing::warn!(
                event = "request-cut-off",
                listener,
                "a request was cut off by shutdown"
            );
            return;
        };
        ended
    };
    match ended {
        Err(error) if stopped_reading(&error) => tracing::info!(
            event = "client-let-go",
            listener,
            seconds = patience.write.as_secs(),
            "a client took nothing of its answer for too long and was let go"
        ),
        Err(error) => tracing::debug!(%error, listener, "a connection broke"),
        Ok(()) => {}
    }
}

/// Whether the write deadline was what ended the connection.
fn stopped_reading(error: &hyper::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.kind() == io::ErrorKind::TimedOut;
        }
        cause = error.source();
    }
    false
}

/// The router's answer; 408 if it failed because the body came too slowly. It is the last one where some of the body was
/// not read, also if hyper would find the little that is left.
async fn answer<R>(
    router: R,
    request: Request<Incoming>,
    limit: Duration,
    unread: Unread,
) -> Result<Response, Infallible>
where
    R: Service<Request, Response = Response, Error = Infallible>,
{
    if request.body().is_end_stream() {
        return router.oneshot(request.map(Body::new)).await;
    }
    let late = Late::default();
    let timed = |body| TimedBody::new(body, limit, late.clone(), unread.clone());
    let mut answer = router
        .oneshot(request.map(|body| Body::new(timed(body))))
        .await?;
    if late.is_set() && (answer.status().is_client_error() || answer.status().is_server_error()) {
        answer = StatusCode::REQUEST_TIMEOUT.into_response();
    }
    if answer.extensions().get::<Turned>().is_some() {
        unread.turn_away();
    } else if unread.is_set() {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(CONNECTION, close);
    }
    Ok(answer)
}
