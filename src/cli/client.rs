//! The admin API's client: one connection a request over the agent's socket.
//!
//! **Invariants.** Everything has a deadline: connecting, the answer's head, and each silence of a stream, whose
//! heartbeats come three times as often. Every error names the socket and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, IF_MATCH};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::lines::Lines;
use crate::api::problem::PROBLEM_JSON;
use crate::api::wire::ProblemDocument;
use crate::platform::local::{LocalStream, MAY_CONNECT, connect_local};

/// Longest wait for the connection: the socket is on this host.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Longest wait for an answer: a little more than the agent's own limit, so that its words arrive.
const ANSWER_DEADLINE: Duration = Duration::from_secs(35);

/// Largest answer taken at once, in bytes: a thousand tasks are about two MiB.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Why the agent did not do what was asked. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing there.
    #[error("there is no agent socket at {}: start the agent with `berth agent`, or name its data directory with --data-dir or its socket with BERTH_ADMIN_SOCKET", .0.display())]
    NoSocket(PathBuf),
    /// Not allowed.
    #[error("no permission to use the agent socket {}: run {MAY_CONNECT}", .0.display())]
    Denied(PathBuf),
    /// A socket that nobody listens on.
    #[error("nobody answers on the agent socket {}: the agent is not running, start it with `berth agent`", .0.display())]
    NobodyListens(PathBuf),
    /// Otherwise not connected.
    #[error("cannot connect to the agent socket {}", .path.display())]
    Connect {
        /// Socket.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Connected, and no answer.
    #[error("the agent on {} has not answered within {} s: see its log", .path.display(), .limit.as_secs())]
    Silent {
        /// Socket.
        path: PathBuf,
        /// How long was waited.
        limit: Duration,
    },
    /// The connection broke.
    #[error("the connection to the agent on {} broke", .path.display())]
    Broken {
        /// Socket.
        path: PathBuf,
        /// How.
        #[source]
        source: hyper::Error,
    },
    /// The agent said goodbye in the middle of a stream.
    #[error("the agent is shutting down")]
    ShuttingDown,
    /// Not what this version understands.
    #[error("cannot understand the agent's answer: is it of another version?")]
    BadAnswer {
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// More than is taken.
    #[error("the agent's answer is larger than {limit} bytes")]
    TooLarge {
        /// Limit in bytes.
        limit: usize,
    },
    /// The agent says no.
    #[error("{}", Words(.0))]
    Problem(Box<ProblemDocument>),
}

/// A problem document for people.
struct Words<'a>(&'a ProblemDocument);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.detail.as_deref().unwrap_or(&self.0.title))?;
        for error in &self.0.errors {
            match error.path.as_str() {
                "" => write!(f, "\n  {}", error.message)?,
                path => write!(f, "\n  {path}: {}", error.message)?,
            }
        }
        for candidate in &self.0.candidates {
            write!(f, "\n  {candidate}")?;
        }
        if let Some(id) = &self.0.request_id {
            write!(f, " (request {id} in the agent's log)")?;
        }
        Ok(())
    }
}

/// What to ask.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Method.
    pub method: Method,
    /// Path and query, percent-encoded.
    pub path: String,
    /// Generation for `If-Match`.
    pub if_match: Option<u64>,
    /// Body.
    pub body: Bytes,
}

impl Ask {
    /// A question without a body.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            if_match: None,
            body: Bytes::new(),
        }
    }
}

/// The way to the agent. Cheap to clone; connects anew for each request.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the agent that listens there.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// The agent's socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Reads a value.
    ///
    /// # Errors
    /// [`ClientError`]; a refusal of the agent is its `Problem`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.ask(Ask::new(Method::GET, path)).await
    }

    /// Asks and reads the answer.
    ///
    /// # Errors
    /// [`ClientError`]; a refusal of the agent is its `Problem`.
    pub async fn ask<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, ClientError> {
        let body = self.bytes(ask).await?;
        serde_json::from_slice(&body).map_err(|source| ClientError::BadAnswer { source })
    }

    /// Asks and reads the answer as it is.
    ///
    /// # Errors
    /// [`ClientError`]; a refusal of the agent is its `Problem`.
    pub async fn bytes(&self, ask: Ask) -> Result<Bytes, ClientError> {
        let mut connection = JoinSet::new();
        let answer = async {
            let response = self.send(ask, &mut connection).await?;
            self.whole(response).await
        };
        self.within(ANSWER_DEADLINE, answer).await?
    }

    /// Reads what is to be had there as it is, also where the agent says by 503 that it is not well: the answer then
    /// says why.
    ///
    /// # Errors
    /// [`ClientError`]; a refusal of the agent is its `Problem`.
    pub async fn probe(&self, path: &str) -> Result<Bytes, ClientError> {
        let mut connection = JoinSet::new();
        let answer = async {
            let ask = Ask::new(Method::GET, path);
            let response = self.exchange(ask, &mut connection).await?;
            if response.status().is_success() || says_why(&response) {
                return self.whole(response).await;
            }
            Err(self.refusal(response).await)
        };
        self.within(ANSWER_DEADLINE, answer).await?
    }

    /// Reads a stream of JSON lines.
    ///
    /// # Errors
    /// [`ClientError`]; a refusal of the agent is its `Problem`.
    pub async fn lines(&self, path: &str) -> Result<Lines, ClientError> {
        let mut connection = JoinSet::new();
        let ask = Ask::new(Method::GET, path);
        let head = self.send(ask, &mut connection);
        let response = self.within(ANSWER_DEADLINE, head).await??;
        let body = response.into_body();
        Ok(Lines::new(self.socket.clone(), body, connection))
    }

    async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, ClientError> {
        let path = self.socket.clone();
        let limited = tokio::time::timeout(limit, work).await;
        limited.map_err(|_| ClientError::Silent { path, limit })
    }

    /// The head of a good answer. `connection` carries it for as long as it is kept.
    async fn send(
        &self,
        ask: Ask,
        connection: &mut JoinSet<()>,
    ) -> Result<Response<Incoming>, ClientError> {
        let response = self.exchange(ask, connection).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    /// The head of an answer, whatever it says.
    async fn exchange(
        &self,
        ask: Ask,
        connection: &mut JoinSet<()>,
    ) -> Result<Response<Incoming>, ClientError> {
        let stream = self.within(CONNECT_DEADLINE, self.connect()).await??;
        let broken = |source| ClientError::Broken {
            path: self.socket.clone(),
            source,
        };
        let (mut sender, carrier) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        connection.spawn(async move {
            // How it breaks is told to whoever waits for the answer.
            drop(carrier.await);
        });
        let mut request = Request::builder()
            .method(ask.method)
            .uri(ask.path)
            .header(HOST, "berth");
        if let Some(generation) = ask.if_match {
            request = request.header(IF_MATCH, format!("\"{generation}\""));
        }
        let request = request
            .body(Full::new(ask.body))
            .map_err(|error| self.unsendable(error))?;
        sender.send_request(request).await.map_err(broken)
    }

    async fn refusal(&self, response: Response<Incoming>) -> ClientError {
        let status = response.status();
        match self.whole(response).await {
            Ok(body) => ClientError::Problem(Box::new(problem(&body, status))),
            Err(error) => error,
        }
    }

    async fn connect(&self) -> Result<LocalStream, ClientError> {
        let path = self.socket.clone();
        connect_local(&path)
            .await
            .map_err(|source| unconnected(path, source))
    }

    fn unsendable(&self, error: hyper::http::Error) -> ClientError {
        ClientError::Connect {
            path: self.socket.clone(),
            source: io::Error::new(io::ErrorKind::InvalidInput, error),
        }
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let limit = MAX_ANSWER_BYTES;
        let body = Limited::new(response.into_body(), limit).collect().await;
        body.map(http_body_util::Collected::to_bytes)
            .map_err(|error| match error.downcast::<hyper::Error>() {
                Ok(source) => ClientError::Broken {
                    path: self.socket.clone(),
                    source: *source,
                },
                Err(_) => ClientError::TooLarge { limit },
            })
    }
}

/// Why there is no connection, by what can be done about it.
fn unconnected(path: PathBuf, source: io::Error) -> ClientError {
    let kind = source.kind();
    if kind == io::ErrorKind::NotFound {
        ClientError::NoSocket(path)
    } else if kind == io::ErrorKind::PermissionDenied {
        ClientError::Denied(path)
    } else if matches!(
        kind,
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    ) {
        // Reset: it ended before it took the connection.
        ClientError::NobodyListens(path)
    } else {
        ClientError::Connect { path, source }
    }
}

/// Whether it is the report of an agent that is not well, and no refusal.
fn says_why(response: &Response<Incoming>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    response.status() == StatusCode::SERVICE_UNAVAILABLE
        && kind.is_some_and(|kind| kind != PROBLEM_JSON)
}

/// The problem of a refusal, also of one that is not from our agent.
fn problem(body: &[u8], status: StatusCode) -> ProblemDocument {
    serde_json::from_slice(body).unwrap_or_else(|_| ProblemDocument {
        title: format!("the agent answers {status}"),
        status: status.as_u16(),
        ..ProblemDocument::default()
    })
}

/// A text as one part of a path or query: everything but letters, digits, `-`, `.`, `_` and `~` is percent-encoded.
pub fn encode(text: &str) -> String {
    let parts = text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::platform::local::{LocalListener, test_address};

    /// What a client is told by somebody who answers each connection with these bytes and hangs up.
    async fn told_by(answer: &[u8]) -> (ClientError, ClientError) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = test_address(directory.path(), "berth.sock");
        let mut listener = LocalListener::bind(&path).await.expect("a socket");
        let client = Client::new(path);
        let serving = async {
            for _ in 0..2 {
                let mut stream = listener.accept().await.expect("a connection");
                // Hanging up on an unread question would lose the answer.
                let mut question = [0; 1024];
                assert_ne!(stream.read(&mut question).await.expect("a question"), 0);
                let head = b"HTTP/1.1 200 OK\r\n\r\n".as_slice();
                let bytes = if answer.is_empty() {
                    answer
                } else {
                    &[head, answer].concat()
                };
                // A client that has heard enough hangs up first.
                drop(stream.write_all(bytes).await);
            }
        };
        let asking = async {
            let whole = client.get::<u8>("/").await.expect_err("no number");
            let mut line = match client.lines("/").await {
                Ok(lines) => lines,
                Err(error) => return (whole, error),
            };
            (whole, line.next::<u8>().await.expect_err("no number"))
        };
        tokio::join!(asking, serving).0
    }

    #[tokio::test]
    async fn an_agent_that_hangs_up_has_broken_the_connection() {
        let (whole, line) = told_by(b"").await;
        assert!(matches!(whole, ClientError::Broken { .. }), "{whole}");
        assert!(matches!(line, ClientError::Broken { .. }), "{line}");
    }

    #[tokio::test]
    async fn what_is_not_ours_is_not_understood() {
        let (whole, line) = told_by(b"hello\n").await;
        assert!(matches!(whole, ClientError::BadAnswer { .. }), "{whole}");
        assert!(matches!(line, ClientError::BadAnswer { .. }), "{line}");
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_not_taken() {
        let (_, line) = told_by(&vec![b'1'; 2 * 1024 * 1024]).await;
        assert!(matches!(line, ClientError::TooLarge { .. }), "{line}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_has_an_end() {
        let limit = Duration::from_secs(35);
        let client = Client::new("/run/x");
        let waited = client.within(limit, std::future::pending::<()>());
        let words = waited.await.expect_err("silence").to_string();
        assert_eq!(
            words,
            "the agent on /run/x has not answered within 35 s: see its log"
        );
    }

    #[test]
    fn each_way_not_to_connect_has_its_advice() {
        for (kind, advice) in [
            (io::ErrorKind::NotFound, "start the agent"),
            (io::ErrorKind::PermissionDenied, MAY_CONNECT),
            (io::ErrorKind::ConnectionRefused, "the agent is not running"),
            (io::ErrorKind::ConnectionReset, "the agent is not running"),
            (io::ErrorKind::Other, "cannot connect"),
        ] {
            let words = unconnected("/run/x".into(), kind.into()).to_string();
            assert!(
                words.contains(advice) && words.contains("/run/x"),
                "{words}"
            );
        }
    }
}
