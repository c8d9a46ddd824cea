//! The boundary with a gate in front of every call that has an effect: calls are counted, and at the nth the agent
//! freezes, before or after the effect, or while the other side goes on with it alone.
//!
//! **Invariant.** Behind a closed gate nothing of the frozen agent has an effect any more, so that what follows is
//! what follows a power cut at that instant. Reading is free: a crash around a read is a crash before the next effect.

use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use tokio::sync::Notify;

use crate::boundary::host::{CgroupLimits, DiskSpace, PortHolder};
use crate::boundary::images::{ImageError, PullView, ReadyImage};
use crate::boundary::store::{Change, Loaded, StoredEvent};
use crate::boundary::{
    BoundaryError, ContainerRuntime, EventStream, Host, ImageSource, TaskStore, VolumeRuntime,
};
use crate::domain::ids::{DockerId, TaskArn, TaskId};
use crate::domain::image::ImageRef;
use crate::domain::port_mapping::Protocol;
use crate::domain::registry::RegistryAccess;
use crate::domain::runtime::{
    ListedContainer, ObservedContainer, OutputChunk, OutputRange, RuntimeInfo, VolumeSpec,
};
use crate::domain::spec::ContainerSpec;

use super::super::memory_store::MemoryStore;
use super::witness::Witness;

/// How long after the freeze a call that the other side goes on with has its effect: longer than a restarted agent
/// needs for its first list.
const LATE: Duration = Duration::from_millis(1_500);

/// How often is looked whether a container that is busy still is.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Where a crash lies in the call that it hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashAt {
    /// Before its effect.
    Before,
    /// After its effect, before the agent hears of it.
    After,
    /// Before its effect, which still comes: the other side does not notice that nobody waits.
    Late,
}

/// The gate; clones are the same one.
#[derive(Clone, Default)]
pub struct Gate {
    state: Arc<Mutex<State>>,
    frozen: Arc<Notify>,
}

#[derive(Default)]
struct State {
    passed: u64,
    crash: Option<(u64, CrashAt)>,
    /// The kind of call at which the agent freezes, whichever number it has.
    crash_at_call: Option<(String, CrashAt)>,
    /// Commits so far, and the one whose answer gets lost.
    commits: u64,
    lost_answer: Option<u64>,
    commits_hang: bool,
    /// Ids of containers that the other side is busy with for a dead agent.
    busy: BTreeSet<String>,
    closed: bool,
    /// The call at which the agent froze, once that call is over.
    frozen_at: Option<String>,
}

enum Pass {
    Through,
    ThroughThenFreeze,
    LateThenFreeze,
    FreezeFirst,
    Frozen,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The agent freezes at the nth call from now, from 1.
    pub fn arm(&self, nth: u64, at: CrashAt) {
        let mut state = self.lock();
        state.crash = Some((state.passed.saturating_add(nth), at));
    }

    /// The agent freezes at the next call of that kind: `commit`, `create`, `start`, `stop`, `remove`, `pull`, …
    pub fn arm_at(&self, call: &str, at: CrashAt) {
        self.lock().crash_at_call = Some((call.to_owned(), at));
    }

    /// The nth commit from now, from 1, is done and answered by an error.
    pub fn lose_answer(&self, nth: u64) {
        let mut state = self.lock();
        state.lost_answer = Some(state.commits.saturating_add(nth));
    }

    /// Commits from now on are never answered.
    pub fn hang_commits(&self) {
        self.lock().commits_hang = true;
    }

    /// Whether that commit is still to come.
    pub fn answer_is_to_be_lost(&self) -> bool {
        let state = self.lock();
        state.lost_answer.is_some_and(|nth| state.commits < nth)
    }

    fn count_commit(&self) -> bool {
        let mut state = self.lock();
        state.commits = state.commits.saturating_add(1);
        state.lost_answer == Some(state.commits)
    }

    /// Waits until the agent is frozen; says at which call.
    pub async fn frozen(&self) -> String {
        loop {
            let frozen = self.frozen.notified();
            if let Some(call) = self.lock().frozen_at.clone() {
                return call;
            }
            frozen.await;
        }
    }

    /// Lets calls through again: those of the next agent.
    pub fn open(&self) {
        let mut state = self.lock();
        state.closed = false;
        state.frozen_at = None;
        state.crash = None;
        state.crash_at_call = None;
    }

    /// Whether the crash that was armed has been reached.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn freeze(&self, what: &str) {
        self.lock().frozen_at = Some(what.to_owned());
        self.frozen.notify_waiters();
    }

    fn step(&self, what: &str) -> Pass {
        let mut state = self.lock();
        if state.closed {
            return Pass::Frozen;
        }
        state.passed = state.passed.saturating_add(1);
        let passed = state.passed;
        let by_number = state.crash.filter(|(nth, _)| passed >= *nth);
        let by_kind = state
            .crash_at_call
            .as_ref()
            .filter(|(kind, _)| kind == what);
        let at = by_number.map(|(_, at)| at).or(by_kind.map(|(_, at)| *at));
        let Some(at) = at else {
            return Pass::Through;
        };
        state.closed = true;
        match at {
            CrashAt::After => Pass::ThroughThenFreeze,
            CrashAt::Before => Pass::FreezeFirst,
            CrashAt::Late => Pass::LateThenFreeze,
        }
    }

    /// A call that is over in a moment or dies with the agent: late is after.
    async fn pass_own<T>(&self, what: &str, call: impl Future<Output = T> + Send) -> T {
        match self.step(what) {
            Pass::Through => call.await,
            Pass::ThroughThenFreeze | Pass::LateThenFreeze => {
                let _unheard = call.await;
                self.freeze(what);
                pending().await
            }
            Pass::FreezeFirst => {
                self.freeze(what);
                pending().await
            }
            Pass::Frozen => pending().await,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "what the other side does belongs to no task of the agent"
    )]
    async fn pass<T: Send + 'static>(
        &self,
        what: &str,
        object: &str,
        call: impl Future<Output = T> + Send + 'static,
    ) -> T {
        match self.step(what) {
            Pass::Through => call.await,
            Pass::ThroughThenFreeze => {
                let _unheard = call.await;
                self.freeze(what);
                pending().await
            }
            Pass::LateThenFreeze => {
                let (gate, object) = (self.clone(), object.to_owned());
                gate.lock().busy.insert(object.clone());
                let _detached = tokio::spawn(async move {
                    tokio::time::sleep(LATE).await;
                    let _unheard = call.await;
                    gate.lock().busy.remove(&object);
                });
                self.freeze(what);
                pending().await
            }
            Pass::FreezeFirst => {
                self.freeze(what);
                pending().await
            }
            Pass::Frozen => pending().await,
        }
    }
}

/// The store behind the gate, with a witness beside it.
pub(super) struct GatedStore(pub(super) MemoryStore, pub(super) Gate, pub(super) Witness);

impl GatedStore {
    /// The store is the agent's own: nobody goes on with a commit when it dies.
    async fn write(
        &self,
        changes: &[Change],
        commit: impl Future<Output = Result<i64, BoundaryError>> + Send,
    ) -> Result<i64, BoundaryError> {
        let lost = self.1.count_commit();
        if self.1.lock().commits_hang {
            return pending().await;
        }
        let call = async {
            let answer = commit.await;
            self.2.committed(&self.0, changes);
            answer
        };
        let sequence = self.1.pass_own("commit", call).await?;
        if lost {
            return Err(BoundaryError::deadline("commit", LATE));
        }
        Ok(sequence)
    }
}

#[async_trait]
impl TaskStore for GatedStore {
    async fn load(&self) -> Result<Loaded, BoundaryError> {
        self.0.load().await
    }

    async fn commit(&self, changes: &[Change]) -> Result<i64, BoundaryError> {
        self.write(changes, self.0.commit(changes)).await
    }

    async fn commit_unflushed(&self, changes: &[Change]) -> Result<i64, BoundaryError> {
        self.write(changes, self.0.commit_unflushed(changes)).await
    }

    async fn flush(&self) -> Result<(), BoundaryError> {
        self.0.flush().await
    }

    async fn events_after(
        &self,
        task: Option<&TaskArn>,
        sequence: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, BoundaryError> {
        self.0.events_after(task, sequence, limit).await
    }

    async fn events_gone_after(
        &self,
        task: Option<&TaskArn>,
        sequence: i64,
    ) -> Result<Option<i64>, BoundaryError> {
        self.0.events_gone_after(task, sequence).await
    }

    async fn recent_events(&self, per_task: u32) -> Result<Vec<StoredEvent>, BoundaryError> {
        self.0.recent_events(per_task).await
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

/// Docker behind the gate.
pub(super) struct GatedRuntime<R>(pub(super) R, pub(super) Gate);

#[async_trait]
impl<R: ContainerRuntime + Clone + 'static> ContainerRuntime for GatedRuntime<R> {
    async fn info(&self) -> Result<RuntimeInfo, BoundaryError> {
        self.0.info().await
    }

    async fn list(&self) -> Result<Vec<ListedContainer>, BoundaryError> {
        self.0.list().await
    }

    /// As Docker, which answers when it is done with the container.
    async fn inspect(&self, id_or_name: &str) -> Result<Option<ObservedContainer>, BoundaryError> {
        loop {
            let found = self.0.inspect(id_or_name).await?;
            let id = found.as_ref().map(|found| found.id.as_str());
            if !id.is_some_and(|id| self.1.lock().busy.contains(id)) {
                return Ok(found);
            }
            tokio::time::sleep(BUSY_PAUSE).await;
        }
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<DockerId, BoundaryError> {
        let (runtime, owned) = (self.0.clone(), spec.clone());
        let call = async move { runtime.create(&owned).await };
        self.1.pass("create", &spec.docker_name, call).await
    }

    async fn start(&self, id: &DockerId) -> Result<(), BoundaryError> {
        let (runtime, owned) = (self.0.clone(), id.clone());
        let call = async move { runtime.start(&owned).await };
        self.1.pass("start", id.as_str(), call).await
    }

    async fn stop(&self, id: &DockerId, grace: Duration) -> Result<(), BoundaryError> {
        let (runtime, owned) = (self.0.clone(), id.clone());
        let call = async move { runtime.stop(&owned, grace).await };
        self.1.pass("stop", id.as_str(), call).await
    }

    async fn kill(&self, id: &DockerId) -> Result<(), BoundaryError> {
        let (runtime, owned) = (self.0.clone(), id.clone());
        let call = async move { runtime.kill(&owned).await };
        self.1.pass("kill", id.as_str(), call).await
    }

    async fn remove(&self, id_or_name: &str) -> Result<(), BoundaryError> {
        let (runtime, owned) = (self.0.clone(), id_or_name.to_owned());
        let call = async move { runtime.remove(&owned).await };
        self.1.pass("remove", id_or_name, call).await
    }

    async fn events(&self) -> Result<EventStream, BoundaryError> {
        self.0.events().await
    }

    async fn logs(
        &self,
        id: &DockerId,
        range: OutputRange,
    ) -> Result<BoxStream<'static, Result<OutputChunk, BoundaryError>>, BoundaryError> {
        self.0.logs(id, range).await
    }
}

#[async_trait]
impl<R: VolumeRuntime> VolumeRuntime for GatedRuntime<R> {
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), BoundaryError> {
        let call = self.0.create_volume(spec);
        self.1.pass_own("create volume", call).await
    }

    async fn inspect_volume(&self, name: &str) -> Result<Option<VolumeSpec>, BoundaryError> {
        self.0.inspect_volume(name).await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), BoundaryError> {
        let call = self.0.remove_volume(name);
        self.1.pass_own("remove volume", call).await
    }
}

/// Images behind the gate.
pub(super) struct GatedImages<I>(pub(super) Arc<I>, pub(super) Gate);

#[async_trait]
impl<I: ImageSource + 'static> ImageSource for GatedImages<I> {
    async fn ensure(
        &self,
        image: &ImageRef,
        access: &RegistryAccess,
        essential: bool,
    ) -> Result<ReadyImage, ImageError> {
        let (images, owned) = (Arc::clone(&self.0), (image.clone(), access.clone()));
        let call = async move { images.ensure(&owned.0, &owned.1, essential).await };
        self.1.pass("pull", image.as_str(), call).await
    }

    fn set_needed(&self, references: BTreeSet<String>) {
        self.0.set_needed(references);
    }

    fn progress(&self) -> Arc<std::collections::BTreeMap<String, PullView>> {
        self.0.progress()
    }
}

/// The host behind the gate.
pub(super) struct GatedHost<H>(pub(super) Arc<H>, pub(super) Gate);

#[async_trait]
impl<H: Host> Host for GatedHost<H> {
    async fn create_cgroup(
        &self,
        task: &TaskId,
        limits: CgroupLimits,
    ) -> Result<(), BoundaryError> {
        let call = self.0.create_cgroup(task, limits);
        self.1.pass_own("create cgroup", call).await
    }

    async fn remove_cgroup(&self, task: &TaskId) -> Result<(), BoundaryError> {
        let call = self.0.remove_cgroup(task);
        self.1.pass_own("remove cgroup", call).await
    }

    async fn port_holder(&self, port: u16, protocol: Protocol) -> Option<PortHolder> {
        self.0.port_holder(port, protocol).await
    }

    async fn port_is_free(&self, port: u16, protocol: Protocol) -> bool {
        self.0.port_is_free(port, protocol).await
    }

    async fn disk_space(&self, path: &str) -> Result<DiskSpace, BoundaryError> {
        self.0.disk_space(path).await
    }
}
