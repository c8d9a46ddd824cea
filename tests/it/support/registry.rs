//! Registries on loopback: a real one, and one that answers as it is told.
#![cfg(feature = "e2e")]

use std::fmt::Write as _;

use base64::Engine as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::task::JoinSet;

use super::http;
use super::program;
use super::rig::Rig;
use super::view::eventually;

/// File of those who are let in, in the registry's directory.
const USERS: &str = "users";

/// Debian's `docker-registry`; killed when dropped.
pub(crate) struct Registry {
    dir: TempDir,
    pub(crate) address: String,
    _child: Child,
}

impl Registry {
    /// Starts one; `None`, said on standard error, where there is none.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_for(None).await
    }

    /// Starts one that lets only that user in: a line of `htpasswd`.
    pub(crate) async fn start_for(user: Option<&str>) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        let users = dir.path().join(USERS);
        let auth = user.map(|line| {
            std::fs::write(&users, line).expect("a file");
            format!(
                "auth: {{htpasswd: {{realm: lab, path: {}}}}}\n",
                users.display()
            )
        });
        let config = format!(
            "version: 0.1\nlog: {{accesslog: {{disabled: false}}}}\nstorage: {{filesystem: {{rootdirectory: {}}}, \
             delete: {{enabled: true}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n{}",
            data.display(),
            auth.unwrap_or_default()
        );
        let path = dir.path().join("config.yml");
        std::fs::write(&path, config).expect("a file");
        let log = std::fs::File::create(dir.path().join("log")).expect("a file");
        let args = ["serve".to_owned(), path.to_string_lossy().into_owned()];
        let mut child = match program::start("docker-registry", &args, log) {
            Ok(child) => child,
            Err(error) => {
                berth::testing::skip::skipped(format_args!("docker-registry: {error}"));
                return None;
            }
        };
        let address = eventually("the registry listens", async || {
            assert!(matches!(child.try_wait(), Ok(None)), "the registry ended");
            let log = std::fs::read_to_string(dir.path().join("log")).ok()?;
            let (_, rest) = log.split_once("listening on ")?;
            Some(rest.split('"').next()?.to_owned())
        })
        .await;
        Some(Self {
            dir,
            address,
            _child: child,
        })
    }

    /// Lets only that user in from now on.
    pub(crate) fn let_in(&self, user: &str) {
        std::fs::write(self.dir.path().join(USERS), user).expect("a file");
    }

    /// Pushes the rig's image under that name and leaves it there alone. Returns the reference.
    pub(crate) async fn push(&self, rig: &Rig, name: &str) -> String {
        self.push_as(&rig.image, name, "{}").await
    }

    /// The same with an image of this host, and a login as Docker takes it.
    pub(crate) async fn push_as(&self, image: &str, name: &str, login: &str) -> String {
        let docker = async |method: &str, path: &str, headers: &str| {
            let answer = http::request_with(http::DOCKER_SOCKET, method, path, headers).await;
            answer.expect("Docker answers")
        };
        let reference = format!("{}/{name}", self.address);
        let (repository, tag) = reference.rsplit_once(':').expect("a tag");
        let path = format!("/images/{image}/tag?repo={repository}&tag={tag}");
        assert_eq!(docker("POST", &path, "").await.status, 201);
        let login = base64::engine::general_purpose::URL_SAFE.encode(login);
        let header = format!("X-Registry-Auth: {login}\r\n");
        let path = format!("/images/{repository}/push?tag={tag}");
        let body = docker("POST", &path, &header).await.body;
        assert!(body.contains("digest"), "{body}");
        docker("DELETE", &format!("/images/{reference}"), "").await;
        reference
    }

    /// What it was asked, one line a request.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        let requests = log.lines().filter(|line| line.contains("HTTP/1.1\""));
        requests.map(str::to_owned).collect()
    }
}

/// What a made-up registry answers to everything.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    /// Status line and body, with further header lines that each end in CRLF.
    Status(&'static str, &'static str, &'static str),
    /// Takes the request and says nothing.
    Nothing,
    /// That index for every manifest.
    Index(String),
}

/// A made-up registry; ends when dropped.
pub(crate) struct Pretender {
    pub(crate) address: String,
    _work: JoinSet<()>,
}

impl Pretender {
    pub(crate) async fn start(say: Say) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let mut work = JoinSet::new();
        work.spawn(answer_all(listener, say));
        Self {
            address,
            _work: work,
        }
    }
}

async fn answer_all(listener: TcpListener, say: Say) {
    let mut connections = JoinSet::new();
    loop {
        // Both arms are cancel-safe.
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((mut stream, _)) = accepted else { continue };
                let say = say.clone();
                connections.spawn(async move {
                    let mut head = [0; 8192];
                    let read = stream.read(&mut head).await.unwrap_or(0);
                    let head = String::from_utf8_lossy(&head[..read]).into_owned();
                    let Some(answer) = answer(&head, &say) else {
                        return std::future::pending().await;
                    };
                    stream.write_all(answer.as_bytes()).await.ok();
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

fn answer(head: &str, say: &Say) -> Option<String> {
    let (status, headers, body) = match say {
        Say::Nothing => return None,
        Say::Status(status, headers, body) => (*status, (*headers).to_owned(), (*body).to_owned()),
        Say::Index(index) if head.contains("/manifests/") => {
            let kind = "application/vnd.docker.distribution.manifest.list.v2+json";
            let mut headers = format!("Content-Type: {kind}\r\n");
            let digest = super::images::sha256(index.as_bytes());
            write!(headers, "Docker-Content-Digest: sha256:{digest}\r\n").expect("a string");
            ("200 OK", headers, index.clone())
        }
        Say::Index(_) => ("200 OK", String::new(), "{}".to_owned()),
    };
    let length = body.len();
    let body = if head.starts_with("HEAD") { "" } else { &body };
    Some(format!(
        "HTTP/1.1 {status}\r\nDocker-Distribution-Api-Version: registry/2.0\r\n{headers}Content-Length: \
         {length}\r\nConnection: close\r\n\r\n{body}"
    ))
}
