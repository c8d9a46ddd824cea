//! Where followed output comes from: one run of the container after the other, until it has ended for good.
//!
//! **Invariants.** Nothing that a run writes is left out: the next run is read from the instant at which the one before
//! was read to its end. A reader who is slow may see the last lines of a run twice, never too few.
//! A task that is gone, or a container that has stopped for good, is the end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::watch;

use crate::boundary::{BoundaryError, Clock, ContainerRuntime};
use crate::domain::ids::{ContainerName, DockerId, TaskArn, UnixMillis};
use crate::domain::runtime::{OutputChunk, OutputRange};
use crate::domain::status::ContainerStatus;
use crate::domain::task::KnownContainer;
use crate::reconcile::ReconcilerHandle;

/// Longest wait for Docker to begin.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);

/// How much earlier than its start a run may have written: Docker notes the start after the process began.
const START_SLACK_MILLIS: i64 = 2_000;

type Chunks = BoxStream<'static, Result<OutputChunk, BoundaryError>>;

/// One run of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    id: DockerId,
    since: Option<UnixMillis>,
}

impl Run {
    fn of(known: &KnownContainer) -> Option<Self> {
        Some(Self {
            id: known.docker_id.clone()?,
            since: known.running_since,
        })
    }
}

/// What the source says.
pub(super) enum Said {
    /// Output.
    Chunk(OutputChunk),
    /// The run has written its last; there may be another.
    RunEnded,
    /// Something has changed: [`Source::go_on`] may find the next run.
    Changed,
    /// Docker broke it off.
    Failed(BoundaryError),
    /// Nothing more will come.
    Ended,
}

/// What is read, and of whom.
pub(super) struct Source {
    runtime: Arc<dyn ContainerRuntime>,
    clock: Arc<dyn Clock>,
    engine: ReconcilerHandle,
    changes: watch::Receiver<u64>,
    task: TaskArn,
    container: ContainerName,
    run: Run,
    follow: bool,
    chunks: Option<Chunks>,
    ended_at: UnixMillis,
}

/// Whose output is wanted.
pub(super) struct Subject {
    pub(super) task: TaskArn,
    pub(super) container: ContainerName,
    pub(super) known: KnownContainer,
}

impl Source {
    /// Opens the output of the container's present run.
    ///
    /// # Errors
    /// Docker's, or its silence of [`OPEN_DEADLINE`].
    pub(super) async fn open(
        runtime: Arc<dyn ContainerRuntime>,
        clock: Arc<dyn Clock>,
        engine: ReconcilerHandle,
        subject: Subject,
        range: OutputRange,
    ) -> Result<Option<Self>, BoundaryError> {
        let Some(run) = Run::of(&subject.known) else {
            return Ok(None);
        };
        let chunks = open(runtime.as_ref(), &run.id, range).await?;
        Ok(Some(Self {
            changes: engine.changes(),
            ended_at: clock.now(),
            runtime,
            clock,
            engine,
            task: subject.task,
            container: subject.container,
            run,
            follow: range.follow,
            chunks: Some(chunks),
        }))
    }

    /// Whether it goes on from run to run.
    pub(super) fn follows(&self) -> bool {
        self.follow
    }

    /// The next thing said. Cancel-safe: streams and watches lose nothing when they are dropped.
    pub(super) async fn next(&mut self) -> Said {
        let Some(chunks) = &mut self.chunks else {
            return match self.changes.changed().await {
                Ok(()) => Said::Changed,
                Err(_gone) => Said::Ended,
            };
        };
        match chunks.next().await {
            Some(Ok(mut chunk)) => {
                // What comes without a time has come at once, or nearly.
                chunk.at = chunk.at.or_else(|| Some(self.clock.now()));
                Said::Chunk(chunk)
            }
            Some(Err(error)) => Said::Failed(error),
            None if self.follow => {
                self.ended_at = self.clock.now();
                self.chunks = None;
                // What has changed before it was looked at counts.
                self.changes.mark_changed();
                Said::RunEnded
            }
            None => Said::Ended,
        }
    }

    /// Reads on if there is another run by now; false if there will be none.
    ///
    /// # Errors
    /// Docker's, or its silence of [`OPEN_DEADLINE`].
    pub(super) async fn go_on(&mut self) -> Result<bool, BoundaryError> {
        if self.chunks.is_some() {
            return Ok(true);
        }
        let snapshot = self.engine.snapshot();
        let view = snapshot.tasks.get(&self.task);
        let known = view.and_then(|view| view.task.known.containers.get(&self.container));
        let Some(known) = known.filter(|known| known.status != ContainerStatus::Stopped) else {
            return Ok(false);
        };
        let runs = known.status == ContainerStatus::Running && known.exit.is_none();
        let Some(run) = Run::of(known).filter(|run| runs && *run != self.run) else {
            return Ok(true);
        };
        // A slow reader has heard of the end of the run before when the next one had begun.
        let late = run.since.filter(|&at| at < self.ended_at);
        let since = (run.id == self.run.id).then(|| match late {
            Some(at) => UnixMillis(at.0.saturating_sub(START_SLACK_MILLIS)),
            None => self.ended_at,
        });
        let range = OutputRange {
            since,
            ..OutputRange::FOLLOW
        };
        self.chunks = Some(open(self.runtime.as_ref(), &run.id, range).await?);
        self.run = run;
        Ok(true)
    }
}

async fn open(
    runtime: &dyn ContainerRuntime,
    id: &DockerId,
    range: OutputRange,
) -> Result<Chunks, BoundaryError> {
    tokio::time::timeout(OPEN_DEADLINE, runtime.logs(id, range))
        .await
        .unwrap_or_else(|_| {
            Err(BoundaryError::deadline(
                format!("logs of {id}"),
                OPEN_DEADLINE,
            ))
        })
}
