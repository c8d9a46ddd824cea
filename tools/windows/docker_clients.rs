//! For tests under Wine, and good on any system: a hundred clients of one Docker at once, a quarter of them with a stream
//! that goes on. Prints how many were served, and the first that was not with its reason.
//!
//!     docker_clients.exe npipe:////./pipe/docker_engine CONTAINER

use anyhow::{Context as _, ensure};
use berth::boundary::ContainerRuntime as _;
use berth::docker::{Docker, DockerConfig};
use berth::domain::ids::DockerId;
use berth::domain::runtime::OutputRange;
use futures_util::StreamExt as _;
use futures_util::future::join_all;

/// As many as a busy host has containers.
const CLIENTS: usize = 100;

/// Chunks of output that a stream must bring: the container goes on writing.
const CHUNKS: usize = 3;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().context("where Docker is")?;
    let container = DockerId::parse(&arguments.next().context("a container")?)?;
    let clients = (0..CLIENTS).map(|number| client(number, &endpoint, &container));
    let ended = join_all(clients).await;
    let served = ended.iter().filter(|ended| ended.is_ok()).count();
    #[expect(
        clippy::print_stdout,
        reason = "a program for tests tells its driver what it has seen"
    )]
    {
        println!("{served} of {CLIENTS} clients were served");
    }
    ended.into_iter().collect()
}

/// One with a connection of its own.
async fn client(number: usize, endpoint: &str, container: &DockerId) -> anyhow::Result<()> {
    let mut config = DockerConfig::new("clients");
    config.endpoint = Some(endpoint.to_owned());
    let docker = Docker::new(config)?;
    let call = number % 4;
    let served = match call {
        0 => docker.info().await.map(drop),
        1 => docker.list().await.map(drop),
        2 => docker.inspect(container.as_str()).await.map(drop),
        _ => return follow(&docker, container).await,
    };
    served.with_context(|| format!("client {number}"))
}

async fn follow(docker: &Docker, container: &DockerId) -> anyhow::Result<()> {
    let output = docker.logs(container, OutputRange::FOLLOW).await?;
    let chunks: Vec<_> = output.take(CHUNKS).collect().await;
    ensure!(chunks.len() == CHUNKS, "the stream ended by itself");
    for chunk in chunks {
        chunk?;
    }
    Ok(())
}
