//! An event log in memory, canned container output, and a planner that echoes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::api::admin::{PlanOptions, PlanReport, PlanSource, PlanStep};
use crate::api::observe::files::wire::TaskFiles;
use crate::api::observe::probes::Check;
use crate::api::observe::{Figures, Surroundings};
use crate::boundary::images::{ImageInventory, Inventory};
use crate::boundary::store::{Change, Loaded, StoredEvent};
use crate::boundary::{BoundaryError, ContainerRuntime, ErrorKind, EventStream, TaskStore};
use crate::definition::{ParseOptions, Rejected, parse};
use crate::domain::fit::{Effect, FitFinding};
use crate::domain::ids::{DockerId, TaskArn};
use crate::domain::runtime::{
    ListedContainer, ObservedContainer, OutputChunk, OutputRange, RuntimeInfo,
};
use crate::domain::spec::ContainerSpec;

fn broken(operation: &str) -> BoundaryError {
    BoundaryError::new(operation, ErrorKind::Transient, "/secret/path is broken")
}

/// An event log in memory.
#[derive(Default)]
pub(crate) struct FakeEvents {
    pub(crate) log: Mutex<Vec<StoredEvent>>,
    pub(crate) fails: AtomicBool,
}

#[async_trait]
impl TaskStore for FakeEvents {
    async fn load(&self) -> Result<Loaded, BoundaryError> {
        Err(broken("load"))
    }

    async fn commit(&self, _: &[Change]) -> Result<i64, BoundaryError> {
        Err(broken("commit"))
    }

    async fn commit_unflushed(&self, _: &[Change]) -> Result<i64, BoundaryError> {
        Err(broken("commit"))
    }

    async fn flush(&self) -> Result<(), BoundaryError> {
        Err(broken("flush"))
    }

    async fn events_after(
        &self,
        task: Option<&TaskArn>,
        sequence: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, BoundaryError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(broken("read events"));
        }
        let log = self.log.lock().expect("a log");
        let wanted = |stored: &&StoredEvent| {
            stored.sequence > sequence && task.is_none_or(|task| *task == stored.event.arn)
        };
        let limit = usize::try_from(limit).expect("a size");
        Ok(log.iter().filter(wanted).take(limit).cloned().collect())
    }

    async fn events_gone_after(
        &self,
        _: Option<&TaskArn>,
        sequence: i64,
    ) -> Result<Option<i64>, BoundaryError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(broken("read events"));
        }
        let log = self.log.lock().expect("a log");
        let first = log.first().map_or(0, |stored| stored.sequence);
        Ok((first > sequence + 1).then_some(first))
    }

    async fn recent_events(&self, _: u32) -> Result<Vec<StoredEvent>, BoundaryError> {
        Err(broken("read events"))
    }

    async fn close(&self) {}
}

/// Canned container output.
#[derive(Default)]
pub(crate) struct FakeOutput {
    pub(crate) chunks: Mutex<Vec<OutputChunk>>,
    pub(crate) refuses: Mutex<Option<ErrorKind>>,
    pub(crate) breaks: AtomicBool,
    pub(crate) goes_on: AtomicBool,
}

#[async_trait]
impl ContainerRuntime for FakeOutput {
    async fn info(&self) -> Result<RuntimeInfo, BoundaryError> {
        Err(broken("info"))
    }

    async fn list(&self) -> Result<Vec<ListedContainer>, BoundaryError> {
        Err(broken("list"))
    }

    async fn inspect(&self, _: &str) -> Result<Option<ObservedContainer>, BoundaryError> {
        Err(broken("inspect"))
    }

    async fn create(&self, _: &ContainerSpec) -> Result<DockerId, BoundaryError> {
        Err(broken("create"))
    }

    async fn start(&self, _: &DockerId) -> Result<(), BoundaryError> {
        Err(broken("start"))
    }

    async fn stop(&self, _: &DockerId, _: Duration) -> Result<(), BoundaryError> {
        Err(broken("stop"))
    }

    async fn kill(&self, _: &DockerId) -> Result<(), BoundaryError> {
        Err(broken("kill"))
    }

    async fn remove(&self, _: &str) -> Result<(), BoundaryError> {
        Err(broken("remove"))
    }

    async fn events(&self) -> Result<EventStream, BoundaryError> {
        Err(broken("events"))
    }

    async fn logs(
        &self,
        _: &DockerId,
        range: OutputRange,
    ) -> Result<BoxStream<'static, Result<OutputChunk, BoundaryError>>, BoundaryError> {
        if let Some(kind) = *self.refuses.lock().expect("a kind") {
            return Err(BoundaryError::new("logs", kind, "/secret/path is broken"));
        }
        let chunks = self.chunks.lock().expect("chunks").clone();
        let tail = range
            .tail
            .map_or(chunks.len(), |tail| usize::try_from(tail).expect("a size"));
        let skipped = chunks.len().saturating_sub(tail);
        let good = chunks.into_iter().skip(skipped).map(Ok);
        let bad = self
            .breaks
            .load(Ordering::Relaxed)
            .then(|| Err(broken("logs")));
        let all = futures_util::stream::iter(good.chain(bad));
        Ok(if self.goes_on.load(Ordering::Relaxed) {
            all.chain(futures_util::stream::pending()).boxed()
        } else {
            all.boxed()
        })
    }
}

/// A host without images.
pub(crate) struct NoImages;

impl ImageInventory for NoImages {
    fn inventory(&self) -> Inventory {
        Inventory::default()
    }
}

/// A fixed text.
pub(crate) struct NoFigures;

impl Figures for NoFigures {
    fn text(&self, _: Option<&str>) -> (&'static str, String) {
        ("text/plain", "up 1\n".to_owned())
    }
}

/// What is beside the engine: these checks.
pub(crate) struct Beside(pub(crate) Vec<Check>);

impl Surroundings for Beside {
    fn checks(&self) -> Vec<Check> {
        self.0.clone()
    }

    fn task_files(&self) -> Option<TaskFiles> {
        None
    }
}

/// Plans one step and one finding for whatever parses.
pub(crate) struct FakePlanner;

impl PlanSource for FakePlanner {
    fn plan(&self, text: &[u8], options: &PlanOptions) -> Result<PlanReport, Rejected> {
        let parse_options = ParseOptions {
            variables: options.variables.clone(),
            family_hint: options.family_hint.clone(),
        };
        let parsed = parse(text, &parse_options)?;
        Ok(PlanReport {
            family: parsed.definition.family.to_string(),
            revision: parsed.definition.revision,
            warnings: parsed.warnings,
            steps: vec![PlanStep {
                call: "pull registry.test/web:1".to_owned(),
                ..PlanStep::default()
            }],
            findings: vec![FitFinding {
                path: "networkMode".to_owned(),
                effect: Effect::Changed,
                message: format!("becomes {:?}", options.task.network_as),
                is_dockers: false,
            }],
        })
    }
}
