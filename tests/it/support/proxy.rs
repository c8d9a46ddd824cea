//! A Docker API proxy that misbehaves as it is told.
//!
//! One request a connection: the proxy adds `Connection: close` to each head and copies everything else as it comes.
#![cfg(feature = "e2e")]

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Longest request head that is read.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// What goes wrong now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// Requests whose path contains one of these wait; an empty text is in every path.
    pub(crate) hang: Vec<String>,
    /// Requests whose path contains one of these are done, and their answer never comes.
    pub(crate) swallow: Vec<String>,
    /// Event streams open and stay silent.
    pub(crate) mute_events: bool,
    /// Connections are closed at once.
    pub(crate) refuse: bool,
    /// Each request waits so long first.
    pub(crate) delay: Option<Duration>,
}

/// The proxy; ends when dropped.
pub(crate) struct Proxy {
    dir: TempDir,
    rules: watch::Sender<Rules>,
    _work: JoinSet<()>,
}

impl Proxy {
    /// A proxy in front of Docker's socket that does as it should.
    pub(crate) fn start(target: impl Into<PathBuf>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(dir.path().join("d.sock")).expect("a socket");
        let (rules, seen) = watch::channel(Rules::default());
        let mut work = JoinSet::new();
        work.spawn(accept(listener, target.into(), seen));
        Self {
            dir,
            rules,
            _work: work,
        }
    }

    /// `DOCKER_HOST` of it.
    pub(crate) fn endpoint(&self) -> String {
        format!("unix://{}", self.dir.path().join("d.sock").display())
    }

    /// From now on these rules hold, also for what waits.
    pub(crate) fn set(&self, rules: Rules) {
        self.rules.send_replace(rules);
    }

    /// From now on nothing goes wrong.
    pub(crate) fn heal(&self) {
        self.set(Rules::default());
    }
}

async fn accept(listener: UnixListener, target: PathBuf, rules: watch::Receiver<Rules>) {
    let mut connections = JoinSet::new();
    loop {
        // Both arms are cancel-safe.
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let (target, rules) = (target.clone(), rules.clone());
                connections.spawn(async move {
                    // A connection that breaks is the client's to judge.
                    let _broken = serve(client, target, rules).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(
    mut client: UnixStream,
    target: PathBuf,
    mut rules: watch::Receiver<Rules>,
) -> std::io::Result<()> {
    if rules.borrow().refuse {
        return Ok(());
    }
    let (head, rest) = read_head(&mut client).await?;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let delay = rules.borrow().delay;
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
    let mut gone = [0];
    let in_the_way = |rules: &Rules| rules.hang.iter().any(|text| path.contains(text));
    // Nothing more than the head comes before an answer, except bodies, which stay in the socket.
    let waits = in_the_way(&rules.borrow());
    if waits && rest.is_empty() && !head.contains("Content-Length") && !head.contains("chunked") {
        tokio::select! {
            _ = rules.wait_for(|rules| !in_the_way(rules)) => {}
            _ = client.read(&mut gone) => return Ok(()),
        }
    } else if waits {
        let _ended = rules.wait_for(|rules| !in_the_way(rules)).await;
    }
    let mut docker = UnixStream::connect(target).await?;
    let closing = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    docker.write_all(closing.as_bytes()).await?;
    docker.write_all(&rest).await?;
    if rules.borrow().mute_events && path.contains("/events") {
        let (head, _) = read_head(&mut docker).await?;
        client.write_all(head.as_bytes()).await?;
        let (mut from_docker, mut to_nobody) = (docker, tokio::io::sink());
        tokio::select! {
            _ = tokio::io::copy(&mut from_docker, &mut to_nobody) => {}
            _ = rules.wait_for(|rules| !rules.mute_events) => {}
            _ = client.read(&mut gone) => {}
        }
        return Ok(());
    }
    let lost = |rules: &Rules| rules.swallow.iter().any(|text| path.contains(text));
    if lost(&rules.borrow()) {
        let (mut from_docker, mut to_docker) = docker.into_split();
        let (mut from_client, _to_client) = client.split();
        let mut nobody = tokio::io::sink();
        let answered = tokio::io::copy(&mut from_docker, &mut nobody);
        let asked = tokio::io::copy(&mut from_client, &mut to_docker);
        tokio::select! {
            () = async { let _both = tokio::join!(answered, asked); } => {}
            _ = rules.wait_for(|rules| !lost(rules)) => return Ok(()),
        }
        let _ended = rules.wait_for(|rules| !lost(rules)).await;
        return Ok(());
    }
    let mut copy = std::pin::pin!(copy_bidirectional(&mut client, &mut docker));
    loop {
        let waits = in_the_way(&rules.borrow_and_update());
        // Cancel-safe: `copy` is kept, and not polled while nothing shall pass.
        tokio::select! {
            done = &mut copy, if !waits => return done.map(|_| ()),
            changed = rules.changed() => if changed.is_err() { return Ok(()) },
        }
    }
}

/// The head with its empty line, and what came after it.
async fn read_head(stream: &mut UnixStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        if bytes.len() > MAX_HEAD_BYTES || stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
