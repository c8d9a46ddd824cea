//! Serving a router to programs of this host, on a socket or a named pipe: the connections, and the end.
//!
//! **Invariant.** Connections are owned: when [`LocalServer::run`] returns none is left.
//!
//! Not here: who is allowed to connect; the rights of the socket or pipe decide.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::connection::{Patience, serve};
use super::observe::state::ListenerShutdown;
use crate::platform::local::{KeptLocal, LocalBindError, LocalListener, LocalStream};

/// Connections open at once; further ones wait in the system's queue.
pub const MAX_CONNECTIONS: usize = 256;

/// Answers may take a commit, and readers of streams may pause. A body has less than a request as a whole.
const PATIENCE: Patience = Patience {
    head: Duration::from_secs(30),
    body: Duration::from_secs(20),
    write: Duration::from_mins(5),
    grace: Duration::from_secs(5),
};

/// Wait after an `accept` that failed, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds and serves until `shutdown`; returns when every connection is done or cut off.
///
/// # Errors
/// [`LocalBindError`] if the address cannot be had. Serving itself does not fail.
pub async fn serve_local(
    path: &Path,
    router: Router,
    shutdown: CancellationToken,
) -> Result<(), LocalBindError> {
    LocalServer::bind(path).await?.run(router, shutdown).await;
    Ok(())
}

/// A server whose address is bound.
#[derive(Debug)]
pub struct LocalServer {
    listener: LocalListener,
}

impl LocalServer {
    /// It listens at `path`.
    ///
    /// # Errors
    /// [`LocalBindError`]; then nothing of somebody else's was touched.
    pub async fn bind(path: &Path) -> Result<Self, LocalBindError> {
        let listener = LocalListener::bind(path).await?;
        Ok(Self { listener })
    }

    /// Serves what somebody else has bound at that path and keeps: it stays when this server has ended.
    ///
    /// # Errors
    /// It is nothing that listens.
    pub fn of(kept: KeptLocal, path: PathBuf) -> io::Result<Self> {
        let listener = LocalListener::of(kept, path)?;
        Ok(Self { listener })
    }

    /// What listens, for others to serve.
    ///
    /// # Errors
    /// Of the system.
    pub fn into_kept(self) -> io::Result<KeptLocal> {
        self.listener.into_kept()
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        self.listener.path()
    }

    /// Serves until `shutdown`, then lets requests finish for five seconds and removes what it has bound.
    pub async fn run(mut self, router: Router, shutdown: CancellationToken) {
        let router = router.layer(Extension(ListenerShutdown(shutdown.clone())));
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            while let Some(ended) = connections.try_join_next() {
                report(ended);
            }
            let accepted = tokio::select! {
                // A permit or connection that is dropped here was not handed to anybody.
                accepted = accept(&mut self.listener, &places) => Some(accepted),
                // Cancellation is a state, not an event.
                () = shutdown.cancelled() => None,
            };
            match accepted {
                None => break,
                Some(Ok((stream, place))) => {
                    let serving =
                        serve(stream, router.clone(), PATIENCE, shutdown.clone(), "admin");
                    connections.spawn(async move {
                        serving.await;
                        drop(place);
                    });
                }
                Some(Err(error)) => {
                    tracing::warn!(event = "accept-failed", %error, "a connection to the admin socket could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        self.listener.close();
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(event = "connection-panicked", %error, "a connection of the admin socket ended badly");
    }
}

async fn accept(
    listener: &mut LocalListener,
    places: &Arc<Semaphore>,
) -> io::Result<(LocalStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let stream = listener.accept().await?;
    Ok((stream, place))
}
