//! A named pipe as the address of the admin API.
//!
//! **Invariants.** There is always an instance of the pipe that waits for somebody, made before the last one is handed
//! on: nobody finds the name gone while the agent runs. The first instance is made as the first: a pipe of that name
//! that somebody else has made is never joined. Programs of other hosts are refused. SYSTEM, administrators and whoever
//! runs the agent may connect, nobody else.

use std::convert::Infallible;
use std::ffi::c_void;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::windows::named_pipe::{
    ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions,
};
use windows_sys::Win32::Foundation::ERROR_PIPE_BUSY;

use super::rights::Rights;
use crate::platform::local::LocalBindError;

/// Who may connect, for people.
pub const MAY_CONNECT: &str = "as an administrator or as the user that runs the agent";

/// How names of pipes begin.
const PIPES: &str = r"\\.\pipe\";

/// Everything for SYSTEM, administrators and the owner; nothing is taken over from elsewhere.
const RIGHTS: &str = "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;OW)";

/// Wait before a pipe is tried again whose instances are all taken: a new one is there in no time.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Nobody keeps a pipe for others here.
#[derive(Debug)]
pub struct KeptLocal(Infallible);

/// A connection, from one side or the other.
#[derive(Debug)]
pub enum LocalStream {
    /// Of a program that asks.
    Client(NamedPipeClient),
    /// Of the agent.
    Server(NamedPipeServer),
}

/// Connects to whoever listens there. Waits as long as all instances are taken: the deadline is the caller's.
///
/// # Errors
/// Of the system.
pub async fn connect_local(path: &Path) -> io::Result<LocalStream> {
    loop {
        match ClientOptions::new().open(path) {
            Ok(client) => return Ok(LocalStream::Client(client)),
            Err(error) if is_busy(&error) => tokio::time::sleep(BUSY_PAUSE).await,
            Err(error) => return Err(error),
        }
    }
}

fn is_busy(error: &io::Error) -> bool {
    let code = error
        .raw_os_error()
        .and_then(|code| u32::try_from(code).ok());
    code == Some(ERROR_PIPE_BUSY)
}

/// A pipe with an instance that waits.
#[derive(Debug)]
pub struct LocalListener {
    waiting: NamedPipeServer,
    path: PathBuf,
}

impl LocalListener {
    /// The pipe is there, made by this process.
    ///
    /// # Errors
    /// [`LocalBindError`]; then nothing of somebody else's was touched.
    #[expect(clippy::unused_async, reason = "the same signature on every system")]
    pub async fn bind(path: &Path) -> Result<Self, LocalBindError> {
        let named = path.to_str().and_then(|text| text.strip_prefix(PIPES));
        if named.is_none_or(str::is_empty) {
            return Err(LocalBindError::NotAPipe(path.to_owned()));
        }
        match instance(path, true) {
            Ok(waiting) => Ok(Self {
                waiting,
                path: path.to_owned(),
            }),
            // What the system says where the name is taken.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied || is_busy(&error) => {
                Err(LocalBindError::InUse(path.to_owned()))
            }
            Err(source) => Err(LocalBindError::Io {
                step: "make the pipe",
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Nothing can have been handed over.
    ///
    /// # Errors
    /// Never comes to it.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the same signature on every system"
    )]
    pub fn of(kept: KeptLocal, _path: PathBuf) -> io::Result<Self> {
        match kept.0 {}
    }

    /// A pipe cannot be handed on.
    ///
    /// # Errors
    /// Always.
    pub fn into_kept(self) -> io::Result<KeptLocal> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection. Cancel safe: whoever has connected meanwhile is found by the next call.
    ///
    /// # Errors
    /// Of the system.
    pub async fn accept(&mut self) -> io::Result<LocalStream> {
        if let Err(error) = self.waiting.connect().await {
            // Somebody who has gone already leaves an instance that is of no use.
            self.waiting = instance(&self.path, false)?;
            return Err(error);
        }
        let next = match instance(&self.path, false) {
            Ok(next) => next,
            Err(error) => {
                // Without another one the name would go with whoever is connected: they are let go instead.
                self.waiting.disconnect()?;
                return Err(error);
            }
        };
        let connected = std::mem::replace(&mut self.waiting, next);
        Ok(LocalStream::Server(connected))
    }

    /// Listens no longer; the name goes with the last connection.
    pub fn close(self) {
        drop(self.waiting);
    }
}

/// One more instance of the pipe.
fn instance(path: &Path, first: bool) -> io::Result<NamedPipeServer> {
    let rights = Rights::of(RIGHTS)?;
    let mut attributes = rights.attributes()?;
    let mut options = ServerOptions::new();
    options
        .first_pipe_instance(first)
        .reject_remote_clients(true);
    #[expect(
        unsafe_code,
        reason = "who may use a pipe is said with a pointer, by this call only"
    )]
    // SAFETY: The pointer is to a whole SECURITY_ATTRIBUTES with its length, whose descriptor the system made; both
    // live until after the call, which keeps neither.
    unsafe {
        options.create_with_security_attributes_raw(path, (&raw mut attributes).cast::<c_void>())
    }
}

impl AsyncRead for LocalStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Client(pipe) => Pin::new(pipe).poll_read(context, buffer),
            Self::Server(pipe) => Pin::new(pipe).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for LocalStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Client(pipe) => Pin::new(pipe).poll_write(context, bytes),
            Self::Server(pipe) => Pin::new(pipe).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Client(pipe) => Pin::new(pipe).poll_flush(context),
            Self::Server(pipe) => Pin::new(pipe).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Client(pipe) => Pin::new(pipe).poll_shutdown(context),
            Self::Server(pipe) => Pin::new(pipe).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn name(word: &str) -> PathBuf {
        PathBuf::from(format!("{PIPES}berth-test-{}-{word}", std::process::id()))
    }

    #[tokio::test]
    async fn a_pipe_is_there_from_before_the_first_to_after_the_last() {
        let path = name("life");
        let absent = connect_local(&path).await.unwrap_err();
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
        let mut listener = LocalListener::bind(&path).await.unwrap();
        for _ in 0..3 {
            let mut client = connect_local(&path).await.unwrap();
            let mut server = listener.accept().await.unwrap();
            client.write_all(b"ask").await.unwrap();
            let mut heard = [0; 3];
            server.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"ask");
            server.write_all(b"answer").await.unwrap();
            drop(server);
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"answer", "what was written before the end arrives");
        }
        listener.close();
        let gone = connect_local(&path).await.unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_name_that_is_taken_is_left_to_whoever_has_it() {
        let path = name("taken");
        let _first = LocalListener::bind(&path).await.unwrap();
        let refused = LocalListener::bind(&path).await.unwrap_err();
        assert!(matches!(refused, LocalBindError::InUse(_)), "{refused}");
    }

    #[tokio::test]
    async fn what_is_no_name_of_a_pipe_is_refused_in_words() {
        for path in [r"C:\berth.sock", PIPES, "pipe"] {
            let refused = LocalListener::bind(Path::new(path)).await.unwrap_err();
            assert!(matches!(refused, LocalBindError::NotAPipe(_)), "{refused}");
        }
    }

    #[tokio::test]
    async fn whoever_comes_while_all_instances_are_taken_waits() {
        let path = name("busy");
        let mut listener = LocalListener::bind(&path).await.unwrap();
        let _first = connect_local(&path).await.unwrap();
        let (second, accepted) = tokio::join!(connect_local(&path), async {
            tokio::task::yield_now().await;
            listener.accept().await
        });
        assert!(second.is_ok() && accepted.is_ok());
    }
}
