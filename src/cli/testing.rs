//! A rig for tests of subcommands: a real server on a real socket before an engine that is a map.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::output::{Format, Output, OutputStyle};
use crate::api::admin::testing::{FakeEvents, FakeOutput, Rig, run_map};
use crate::api::local::LocalServer;
use crate::api::observe::task::wire::TaskSummary;
use crate::api::wire::Time;
use crate::platform::local::test_address;
use crate::reconcile::detached::Publisher;
use crate::reconcile::snapshot::Snapshot;

/// An agent on a socket of its own; ends when dropped.
pub(super) struct Agent {
    pub(super) client: Client,
    pub(super) publisher: Publisher,
    pub(super) events: Arc<FakeEvents>,
    pub(super) output: Arc<FakeOutput>,
    pub(super) shutdown: CancellationToken,
    _running: JoinSet<()>,
    _directory: TempDir,
}

impl Agent {
    pub(super) async fn start(snapshot: Snapshot) -> Self {
        Self::of(Rig::new(snapshot)).await
    }

    pub(super) async fn of(mut rig: Rig) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = test_address(directory.path(), "berth.sock");
        let server = LocalServer::bind(&socket).await.expect("a socket");
        let shutdown = CancellationToken::new();
        let mut running = JoinSet::new();
        let publisher = rig.engine.publisher().clone();
        running.spawn(server.run(rig.router.clone(), shutdown.clone()));
        let (events, output) = (Arc::clone(&rig.events), Arc::clone(&rig.output));
        running.spawn(async move { run_map(&mut rig.engine).await });
        Self {
            client: Client::new(socket),
            publisher,
            events,
            output,
            shutdown,
            _running: running,
            _directory: directory,
        }
    }
}

/// What was printed.
#[derive(Clone, Default)]
pub(super) struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    pub(super) fn text(&self) -> String {
        let bytes = self.0.lock().expect("bytes").clone();
        String::from_utf8(bytes).expect("text")
    }
}

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("bytes").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An output of 80 columns without colours, and what it printed: standard output, standard error.
pub(super) fn captured(format: Format) -> (Output, Printed, Printed) {
    let (out, err) = (Printed::default(), Printed::default());
    let style = OutputStyle {
        color: false,
        width: 80,
        format,
    };
    (Output::new(out.clone(), err.clone(), style), out, err)
}

/// A task of family `web` as the API shows it.
pub(super) fn summary(id: &str, status: &str) -> TaskSummary {
    TaskSummary {
        task_arn: format!("arn:aws:ecs:local:000000000000:task/default/{id}"),
        task_id: id.to_owned(),
        family: "web".to_owned(),
        revision: 3,
        status: status.to_owned(),
        desired_status: "RUNNING".to_owned(),
        converged: status == "RUNNING",
        why: "runs as asked".to_owned(),
        origin: "api".to_owned(),
        arrived_at: Time::default(),
        started_at: None,
        stopped_at: None,
        end: None,
        ports: Vec::new(),
    }
}
