//! The instance metadata service on loopback: version 2, so nothing is told without a token; and what it was asked for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const TOKEN: &str = "lab-session-token";

#[derive(Default)]
struct State {
    texts: BTreeMap<String, Vec<u8>>,
    asked: Vec<String>,
    /// Requests that brought no token, or another.
    strangers: usize,
    /// Everything is answered with this status.
    status: Option<u16>,
}

/// The service. Gone when dropped.
pub(crate) struct InstanceService {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _server: JoinSet<()>,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl InstanceService {
    /// A service that tells nothing yet.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self {
            address,
            state,
            _server: server,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it tells this below `/latest/`.
    pub(crate) fn tell(&self, path: &str, content: impl AsRef<[u8]>) {
        locked(&self.state)
            .texts
            .insert(path.to_owned(), content.as_ref().to_owned());
    }

    /// From now on it answers with that status and nothing else; `None` = as before.
    pub(crate) fn fail(&self, status: Option<u16>) {
        locked(&self.state).status = status;
    }

    /// Paths below `/latest/`, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        locked(&self.state).asked.clone()
    }

    /// How many requests came without the token.
    pub(crate) fn strangers(&self) -> usize {
        locked(&self.state).strangers
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if !matches!(stream.read_buf(&mut buffer).await, Ok(read) if read > 0) {
                return;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        buffer.drain(..end + 4);
        let (status, body) = answer(&head, &mut locked(&state));
        let answer = format!(
            "HTTP/1.1 {status} X\r\nx-aws-ec2-metadata-token-ttl-seconds: 300\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = [answer.as_bytes(), &body].concat();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn answer(head: &str, state: &mut State) -> (u16, Vec<u8>) {
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let path = path.trim_start_matches("/latest/").to_owned();
    if let Some(status) = state.status {
        return (status, Vec::new());
    }
    if (method, path.as_str()) == ("PUT", "api/token") {
        return (200, TOKEN.into());
    }
    let head = head.to_ascii_lowercase();
    if !head.contains(&format!("x-aws-ec2-metadata-token: {TOKEN}")) {
        state.strangers += 1;
        return (401, Vec::new());
    }
    state.asked.push(path.clone());
    let text = state.texts.get(&path);
    text.map_or((404, Vec::new()), |text| (200, text.clone()))
}
