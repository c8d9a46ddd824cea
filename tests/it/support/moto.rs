//! A stand-in for AWS on loopback (moto), and Python programs beside it, from the project's own environment.
#![cfg(feature = "e2e")]

use std::path::PathBuf;
use std::sync::Arc;

use aws_sdk_ecs::config::{Credentials, SharedCredentialsProvider};
use berth::ecs::Network;
use berth::ecs::connect::Connector;
use berth::platform::SystemClock;
use tempfile::TempDir;
use tokio::process::Child;

use super::control_plane::{KEY, REGION, SECRET};
use super::program;
use super::view::eventually;

/// A program of the Python environment that `tools/setup.py` makes; `None`, said on standard error, without one.
pub(crate) fn python(name: &str) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = root.join(".cache/venv/bin").join(name);
    if !path.exists() {
        berth::testing::skip::skipped(format_args!(
            "{} is missing: run `make setup`",
            path.display()
        ));
        return None;
    }
    Some(path)
}

/// The agent's own way to ask, with a key that moto takes as it takes any.
pub(crate) fn connector() -> Connector {
    let key = Credentials::new(KEY, SECRET, None, None, "test");
    Connector::new(
        SharedCredentialsProvider::new(key),
        REGION.to_owned(),
        Network::default(),
        Arc::new(SystemClock),
    )
}

/// moto; killed when dropped.
pub(crate) struct Moto {
    pub(crate) endpoint: String,
    _dir: TempDir,
    _child: Child,
}

impl Moto {
    /// Starts it on a free port of loopback; `None`, said on standard error, where it is not installed.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_at("127.0.0.1").await
    }

    /// Starts it on a free port of an address of this host.
    pub(crate) async fn start_at(address: &str) -> Option<Self> {
        let server = python("moto_server")?;
        let dir = tempfile::tempdir().expect("a directory");
        let log = std::fs::File::create(dir.path().join("log")).expect("a file");
        let args = ["-H", address, "-p", "0"].map(str::to_owned);
        let program = server.to_str().expect("a path that is text");
        let mut child = program::start(program, &args, log).expect("moto starts");
        let endpoint = eventually("moto listens", async || {
            assert!(matches!(child.try_wait(), Ok(None)), "moto ended");
            let log = std::fs::read_to_string(dir.path().join("log")).ok()?;
            let (_, rest) = log.split_once("Running on ")?;
            Some(rest.split_whitespace().next()?.to_owned())
        })
        .await;
        Some(Self {
            endpoint,
            _dir: dir,
            _child: child,
        })
    }
}
