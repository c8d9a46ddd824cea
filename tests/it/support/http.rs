//! One HTTP request: on a Unix socket, for doing to Docker what neither the engine nor its adapter does, and on the
//! addresses of an agent.
#![cfg(feature = "e2e")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

/// Docker's own socket.
pub(crate) const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// Far above what any call of a test takes.
const LIMIT: Duration = Duration::from_mins(1);

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

/// Sends a request without a body. HTTP/1.0, so that the answer ends with the connection and is not cut in chunks.
pub(crate) async fn request(
    socket: impl AsRef<Path>,
    method: &str,
    path: &str,
) -> std::io::Result<Answer> {
    request_with(socket, method, path, "").await
}

/// Like [`request`], with further header lines that each end in CRLF.
pub(crate) async fn request_with(
    socket: impl AsRef<Path>,
    method: &str,
    path: &str,
    headers: &str,
) -> std::io::Result<Answer> {
    let exchange = async {
        let mut stream = UnixStream::connect(socket).await?;
        let head = format!("{method} {path} HTTP/1.0\r\nHost: docker\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut whole = Vec::new();
        stream.read_to_end(&mut whole).await?;
        Ok(parse(&String::from_utf8_lossy(&whole)))
    };
    tokio::time::timeout(LIMIT, exchange)
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

/// The whole answer to a GET on a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    exchange(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    )
    .await
}

/// The whole answer to a POST on a connection of its own; `headers` are lines that each end in CRLF.
pub(crate) async fn post(
    address: SocketAddr,
    headers: &str,
    body: &str,
) -> std::io::Result<String> {
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.0\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    exchange(address, &request).await
}

async fn exchange(address: SocketAddr, request: &str) -> std::io::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    tokio::time::timeout(LIMIT, exchange)
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|code| code.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        body: body.to_owned(),
    }
}
