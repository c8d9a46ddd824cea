//! A daemon on loopback that answers by rules.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::super::{Docker, DockerConfig};
use crate::domain::ids::DockerId;

pub(super) const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What the daemon does with one connection.
#[derive(Clone)]
pub(super) enum Answer {
    Json(u16, String),
    /// A body without a known length that ends when the connection does.
    Until(String),
    /// Nothing, ever.
    Silence,
    /// Lines, then nothing, ever.
    Stall(String),
    Hangup,
}

/// What is answered to a request whose first line has that text.
pub(super) type Rules = Vec<(String, Answer)>;

/// One request as it came in: first line and headers.
pub(super) type Seen = Arc<Mutex<Vec<String>>>;

pub(super) struct Daemon {
    pub(super) docker: Docker,
    pub(super) seen: Seen,
    _server: JoinSet<()>,
}

impl Daemon {
    /// Answers by the first rule whose text is in the request's first line; `/version` is answered unless a rule does.
    pub(super) async fn start(rules: &[(&str, Answer)]) -> Self {
        Self::with(rules, |_| {}).await
    }

    pub(super) async fn with(
        rules: &[(&str, Answer)],
        change: impl FnOnce(&mut DockerConfig),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Seen::default();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, rules_of(rules), Arc::clone(&seen)));
        let mut config = DockerConfig::new("i1");
        config.endpoint = Some(format!("tcp://{address}"));
        change(&mut config);
        Self {
            docker: Docker::new(config).unwrap(),
            seen,
            _server: server,
        }
    }

    /// First lines without the protocol.
    pub(super) fn lines(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .map(|head| head.split(" HTTP").next().unwrap_or_default().to_owned())
            .collect()
    }
}

/// The rules, and one for `/version` after them.
pub(super) fn rules_of(rules: &[(&str, Answer)]) -> Rules {
    let version = json!({"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10"});
    let last = ("GET /version", ok(&version));
    let all = rules.iter().chain(std::iter::once(&last));
    all.map(|(text, answer)| ((*text).to_owned(), answer.clone()))
        .collect()
}

async fn serve(listener: TcpListener, rules: Rules, seen: Seen) {
    let mut connections = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        connections.spawn(answer(connection, rules.clone(), Arc::clone(&seen)));
    }
}

pub(super) async fn answer(
    mut connection: impl AsyncRead + AsyncWrite + Unpin,
    rules: Rules,
    seen: Seen,
) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 4096];
        match connection.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(length) => head.extend_from_slice(&piece[..length]),
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let first = head.lines().next().unwrap_or_default().to_owned();
    seen.lock().unwrap().push(head);
    let rule = rules.into_iter().find(|(text, _)| first.contains(text));
    let body = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let text = match rule.map(|(_, answer)| answer) {
        Some(Answer::Json(status, text)) => {
            let length = text.len();
            format!("HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\n\r\n{text}")
        }
        Some(Answer::Until(text)) => format!("{body}{text}"),
        Some(Answer::Stall(text)) => {
            let text = format!("{body}{text}");
            connection.write_all(text.as_bytes()).await.ok();
            return std::future::pending().await;
        }
        Some(Answer::Silence) => return std::future::pending().await,
        Some(Answer::Hangup) => return,
        None => "HTTP/1.1 501 No Rule\r\nContent-Length: 0\r\n\r\n".to_owned(),
    };
    connection.write_all(text.as_bytes()).await.ok();
    connection.shutdown().await.ok();
}

pub(super) fn ok(value: &serde_json::Value) -> Answer {
    Answer::Json(200, value.to_string())
}

pub(super) fn said(status: u16, words: &str) -> Answer {
    Answer::Json(status, json!({ "message": words }).to_string())
}

pub(super) fn id() -> DockerId {
    DockerId::parse(ID).unwrap()
}
