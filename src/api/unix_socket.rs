//! Serving a router on a Unix socket: the file, the connections, and the end.
//!
//! **Invariants.** The socket appears under its name only with its final mode. A socket that somebody answers on is
//! never taken away. One that was handed over is neither bound anew nor removed. Connections are owned: when
//! [`UnixServer::run`] returns none is left.
//!
//! Not here: who is allowed to connect; the file's owner, group and mode decide.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::connection::{Patience, serve};
use super::observe::state::ListenerShutdown;

/// Read and write for owner and group.
pub const SOCKET_MODE: u32 = 0o660;

/// Mode of a directory that has to be made: others may not even look.
const DIRECTORY_MODE: u32 = 0o750;

/// Connections open at once; further ones wait in the kernel's queue.
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

/// Longest wait for an answer on a socket that is in the way.
const PROBE_DEADLINE: Duration = Duration::from_secs(1);

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens on it.
    #[error("another process answers on {}", .0.display())]
    InUse(PathBuf),
    /// Something else has the name.
    #[error("{} exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// The path has no directory or no file name.
    #[error("{} is not a path of a file", .0.display())]
    BadPath(PathBuf),
    /// What was handed over is no socket that listens.
    #[error("serve the socket that was handed over")]
    Handed(#[source] io::Error),
    /// A step failed.
    #[error("cannot {step} {}", .path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Binds and serves until `shutdown`; returns when every connection is done or cut off.
///
/// # Errors
/// [`BindError`] if the socket cannot be had. Serving itself does not fail.
pub async fn serve_unix(
    path: &Path,
    router: Router,
    shutdown: CancellationToken,
) -> Result<(), BindError> {
    UnixServer::bind(path).await?.run(router, shutdown).await;
    Ok(())
}

/// A bound socket.
#[derive(Debug)]
pub struct UnixServer {
    listener: UnixListener,
    path: PathBuf,
    /// Somebody else has bound the socket and keeps it.
    kept: bool,
}

impl UnixServer {
    /// The socket listens at `path` with mode 0660; its directory was made if need be, and a socket that nobody
    /// answered on was replaced.
    ///
    /// # Errors
    /// [`BindError`]; then nothing of somebody else's was touched.
    pub async fn bind(path: &Path) -> Result<Self, BindError> {
        let failed = |step, path: &Path| {
            let path = path.to_owned();
            move |source| BindError::Io { step, path, source }
        };
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(BindError::BadPath(path.to_owned()));
        };
        make_directory(directory).map_err(failed("make the directory", directory))?;
        make_way(path).await?;
        // Bound under another name first: between `bind` and `chmod` the mode is whatever the umask leaves.
        let mut unready = name.to_owned();
        unready.push(".new");
        let unready = path.with_file_name(unready);
        make_way(&unready).await?;
        let listener = UnixListener::bind(&unready).map_err(failed("bind", &unready))?;
        std::fs::set_permissions(&unready, Permissions::from_mode(SOCKET_MODE))
            .map_err(failed("set the mode of", &unready))?;
        std::fs::rename(&unready, path).map_err(failed("put in place", path))?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            kept: false,
        })
    }

    /// Serves a socket that somebody else has bound at that path and keeps: it and its file stay when this server has
    /// ended.
    ///
    /// # Errors
    /// It is no socket that listens.
    pub fn of(listener: std::os::unix::net::UnixListener, path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            listener: UnixListener::from_std(listener)?,
            path,
            kept: true,
        })
    }

    /// The socket, for others to serve; its file stays.
    ///
    /// # Errors
    /// Of the system.
    pub fn into_listener(self) -> io::Result<std::os::unix::net::UnixListener> {
        self.listener.into_std()
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serves until `shutdown`, then lets requests finish for five seconds and removes the socket.
    pub async fn run(self, router: Router, shutdown: CancellationToken) {
        let router = router.layer(Extension(ListenerShutdown(shutdown.clone())));
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            while let Some(ended) = connections.try_join_next() {
                report(ended);
            }
            let accepted = tokio::select! {
                // A permit or connection that is dropped here was not handed to anybody.
                accepted = accept(&self.listener, &places) => Some(accepted),
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
        // Left to a successor that has taken the name meanwhile? Its bind would have found us answering.
        drop(self.listener);
        if !self.kept
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::debug!(%error, "the admin socket was gone already");
        }
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
    listener: &UnixListener,
    places: &Arc<Semaphore>,
) -> io::Result<(UnixStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(directory)?;
    std::fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))
}

/// Removes a socket that nobody answers on.
async fn make_way(path: &Path) -> Result<(), BindError> {
    let failed = |step| {
        move |source| BindError::Io {
            step,
            path: path.to_owned(),
            source,
        }
    };
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {}
        Ok(_) => return Err(BindError::NotASocket(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at")(error)),
    }
    match tokio::time::timeout(PROBE_DEADLINE, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(failed("remove the stale socket"))
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(Err(error)) => Err(failed("ask who listens on")(error)),
        Ok(Ok(_)) | Err(_) => Err(BindError::InUse(path.to_owned())),
    }
}
