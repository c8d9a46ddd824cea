//! An HTTP proxy on loopback that leads every name to one place, and keeps what it was asked for.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The first line of each request, and its `Proxy-Authorization`.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// The proxy. Gone when dropped.
pub(crate) struct HttpProxy {
    address: SocketAddr,
    asked: Asked,
    _work: JoinSet<()>,
}

impl HttpProxy {
    /// Tunnels lead to `target`; `None` = they are refused.
    pub(crate) async fn start(target: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Asked::default();
        let mut work = JoinSet::new();
        let shared = Arc::clone(&asked);
        work.spawn(async move {
            let mut tunnels = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                tunnels.spawn(tunnel(stream, target, Arc::clone(&shared)));
            }
        });
        Self {
            address,
            asked,
            _work: work,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://user:p%40ss@{}", self.address)
    }

    /// First lines of all requests, each once.
    pub(crate) fn lines(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<String> = asked.iter().map(|(line, _)| line.clone()).collect();
        lines.sort();
        lines.dedup();
        lines
    }

    /// What requests were authorised with, each once.
    pub(crate) fn authorizations(&self) -> Vec<Option<String>> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Option<String>> = asked.iter().map(|(_, given)| given.clone()).collect();
        all.sort();
        all.dedup();
        all
    }
}

async fn tunnel(mut stream: TcpStream, target: Option<SocketAddr>, asked: Asked) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let given = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization")
            .then(|| value.to_owned())
    });
    let line = head.lines().next().unwrap_or_default().to_owned();
    asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((line, given));
    let Some(target) = target else {
        let refusal = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
        let _gone = stream.write_all(refusal).await;
        return;
    };
    let Ok(mut onward) = TcpStream::connect(target).await else {
        return;
    };
    if stream
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await
        .is_ok()
    {
        let _over = copy_bidirectional(&mut stream, &mut onward).await;
    }
}
