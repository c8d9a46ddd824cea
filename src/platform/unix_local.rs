//! Sockets in the file system: the file, its mode, and what is in the way.
//!
//! **Invariants.** The socket appears under its name only with its final mode. A socket that somebody answers on is
//! never taken away. One that was handed over is neither bound anew nor removed.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

use super::local::LocalBindError;

/// Who may connect, for people. The data directory, where the socket is unless it is named, lets nobody else in.
pub const MAY_CONNECT: &str = "as root (a member of its group may too where BERTH_ADMIN_SOCKET names a directory that the group can enter)";

/// Read and write for owner and group.
const SOCKET_MODE: u32 = 0o660;

/// Mode of a directory that has to be made: others may not even look.
const DIRECTORY_MODE: u32 = 0o750;

/// Longest wait for an answer on a socket that is in the way.
const PROBE_DEADLINE: Duration = Duration::from_secs(1);

/// A socket that somebody else keeps.
pub type KeptLocal = StdUnixListener;

/// A connection.
pub type LocalStream = UnixStream;

/// Connects to whoever listens there.
///
/// # Errors
/// Of the system.
pub async fn connect_local(path: &Path) -> io::Result<LocalStream> {
    UnixStream::connect(path).await
}

/// A bound socket.
#[derive(Debug)]
pub struct LocalListener {
    listener: UnixListener,
    path: PathBuf,
    /// Somebody else has bound the socket and keeps it.
    kept: bool,
}

impl LocalListener {
    /// The socket listens at `path` with mode 0660; its directory was made if need be, and a socket that nobody
    /// answered on was replaced.
    ///
    /// # Errors
    /// [`LocalBindError`]; then nothing of somebody else's was touched.
    pub async fn bind(path: &Path) -> Result<Self, LocalBindError> {
        let failed = |step, path: &Path| {
            let path = path.to_owned();
            move |source| LocalBindError::Io { step, path, source }
        };
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(LocalBindError::BadPath(path.to_owned()));
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

    /// A socket that somebody else has bound at that path and keeps: it and its file stay.
    ///
    /// # Errors
    /// It is no socket that listens.
    pub fn of(kept: KeptLocal, path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            listener: UnixListener::from_std(kept)?,
            path,
            kept: true,
        })
    }

    /// The socket, for others to serve; its file stays.
    ///
    /// # Errors
    /// Of the system.
    pub fn into_kept(self) -> io::Result<KeptLocal> {
        self.listener.into_std()
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection. Cancel safe.
    ///
    /// # Errors
    /// Of the system.
    pub async fn accept(&mut self) -> io::Result<LocalStream> {
        let (stream, _) = self.listener.accept().await?;
        Ok(stream)
    }

    /// Listens no longer, and takes its file away.
    pub fn close(self) {
        // Left to a successor that has taken the name meanwhile? Its bind would have found us answering.
        drop(self.listener);
        if !self.kept
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::debug!(%error, "the admin socket was gone already");
        }
    }
}

fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(directory)?;
    std::fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))
}

/// Removes a socket that nobody answers on.
async fn make_way(path: &Path) -> Result<(), LocalBindError> {
    let failed = |step| {
        move |source| LocalBindError::Io {
            step,
            path: path.to_owned(),
            source,
        }
    };
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {}
        Ok(_) => return Err(LocalBindError::NotASocket(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at")(error)),
    }
    match tokio::time::timeout(PROBE_DEADLINE, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(failed("remove the stale socket"))
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(Err(error)) => Err(failed("ask who listens on")(error)),
        Ok(Ok(_)) | Err(_) => Err(LocalBindError::InUse(path.to_owned())),
    }
}
