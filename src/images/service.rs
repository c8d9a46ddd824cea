//! The service: owns all flights, one per reference and rights, and lets the governor move the limit of pulls.
//!
//! ```text
//! ensure ──► no flight of that reference: begin one ──► its result goes to all who wait for it
//!            one is there: wait for the same           nobody waits any more: it is cancelled
//! ```
//!
//! **Invariant.** A flight ends in one of three ways: with a result, abandoned, or with the service.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::config::ImagesConfig;
use super::context::{Context, Parts};
use super::disk;
use super::ensure::ensure;
use super::inventory::inventory;
use super::logins::Logins;
use super::plan::HostPlatform;
use super::plan::governor::{Governor, SAMPLE, Sample};
use super::plan::reason;
use super::slots::Slots;
use super::sweep::{self, SweepReport};
use crate::boundary::images::{ImageError, Inventory, OwnFiles, PullState, PullView, ReadyImage};
use crate::boundary::store::ImageRecord;
use crate::boundary::{
    Clock, ErrorKind, Host, Ids, ImageInventory, ImageRuntime, ImageSource, SecretSource,
    TokenSource,
};
use crate::domain::image::ImageRef;
use crate::domain::registry::{RegistryAccess, RegistryLogin, Rights};

/// Requests that may wait for the service, which only passes them on: a burst of one payload's containers.
const REQUEST_CAPACITY: usize = 256;

/// References that may be made ready at once: as many as a payload of the largest kind seen has tasks.
const MAX_FLIGHTS: usize = 1024;

/// A result as all who wait see it.
type Outcome = Option<Result<ReadyImage, ImageError>>;

/// Sizes of the agent's own files, given a path on the disk of images. May block.
pub type ReadOwnFiles = Arc<dyn Fn(&str) -> OwnFiles + Send + Sync>;

/// The outside of the service, and what is remembered of images.
pub struct Outside {
    /// Images of the container engine.
    pub runtime: Arc<dyn ImageRuntime>,
    /// For the space of the disk.
    pub host: Arc<dyn Host>,
    /// Tokens of registries.
    pub tokens: Arc<dyn TokenSource>,
    /// Logins that are kept in Secrets Manager.
    pub secrets: Arc<dyn SecretSource>,
    /// The operator's logins, by the name of the registry or a path prefix in it.
    pub logins: Vec<RegistryLogin>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub ids: Arc<dyn Ids>,
    /// The agent's own files.
    pub own_files: ReadOwnFiles,
    /// Records from the store.
    pub known: Vec<ImageRecord>,
}

/// Builds the service and its handle. Nothing happens until [`ImagesService::run`] is polled.
pub fn service(config: ImagesConfig, outside: Outside) -> (ImagesService, ImagesHandle) {
    let governor = Governor::new(config.max_parallel);
    let logins = Logins::new(
        outside.logins,
        (outside.tokens, outside.secrets),
        outside.clock.clone(),
        outside.ids,
    );
    let context = Context::new(Parts {
        config,
        runtime: outside.runtime,
        host: outside.host,
        clock: outside.clock,
        own_files: outside.own_files,
        slots: Slots::new(governor.limit()),
        logins,
        known: outside.known,
    });
    let (requests, inbox) = mpsc::channel(REQUEST_CAPACITY);
    let service = ImagesService {
        context: Arc::clone(&context),
        governor,
        moved_bytes: 0,
        inbox,
        flights: BTreeMap::new(),
        jobs: JoinSet::new(),
        keys: HashMap::new(),
    };
    (service, ImagesHandle { context, requests })
}

/// Cheap to clone; the only way in.
#[derive(Clone)]
pub struct ImagesHandle {
    context: Arc<Context>,
    requests: mpsc::Sender<Request>,
}

/// Asks for one reference.
struct Request {
    image: ImageRef,
    access: RegistryAccess,
    essential: bool,
    reply: oneshot::Sender<watch::Receiver<Outcome>>,
}

#[async_trait]
impl ImageSource for ImagesHandle {
    async fn ensure(
        &self,
        image: &ImageRef,
        access: &RegistryAccess,
        essential: bool,
    ) -> Result<ReadyImage, ImageError> {
        let (reply, answer) = oneshot::channel();
        let request = Request {
            image: image.clone(),
            access: access.clone(),
            essential,
            reply,
        };
        let stopped = || reason::other(ErrorKind::Cancelled, "the image service has stopped");
        self.requests.send(request).await.map_err(|_| stopped())?;
        let mut outcome = answer.await.map_err(|_| stopped())?;
        let seen = outcome.wait_for(Option::is_some).await;
        let seen = seen.map_err(|_| stopped())?;
        seen.clone().unwrap_or_else(|| Err(stopped()))
    }

    fn progress(&self) -> Arc<BTreeMap<String, PullView>> {
        let mut board = self.context.state().board.clone();
        for (index, key) in self.context.slots.order().iter().enumerate() {
            if let Some(view) = board.get_mut(key) {
                let position = index.saturating_add(1);
                view.state = PullState::Waiting { position };
            }
        }
        Arc::new(board)
    }

    fn set_needed(&self, references: BTreeSet<String>) {
        self.context.state().needed = references;
    }
}

impl ImageInventory for ImagesHandle {
    fn inventory(&self) -> Inventory {
        // Before the state is locked: it looks at the state too.
        let board = self.progress();
        let now = self.context.clock.now();
        inventory(&self.context.config, &self.context.state(), &board, now)
    }
}

impl ImagesHandle {
    /// What Docker says of itself: what it runs and where it keeps images. Until then no image is refused for its
    /// platform, and the disk is not looked at.
    pub fn set_host(&self, platform: HostPlatform, storage_path: impl Into<String>) {
        let mut state = self.context.state();
        state.platform = Some(platform);
        state.storage_path = Some(storage_path.into());
    }

    /// Looks at what takes the disk now and then, until `stop`. Whoever asks meanwhile gets what was seen last.
    pub async fn watch_disk(self, stop: CancellationToken) {
        disk::run(&self.context, &stop).await;
    }

    /// One clean-up pass; meant to be called about once a minute. Removes by age when it is time, and by the disk
    /// when it is full. Dropping the future ends it after the present removal; the next pass finds what was done.
    pub async fn sweep(&self) -> SweepReport {
        sweep::sweep(&self.context).await
    }
}

/// Owns the flights.
pub struct ImagesService {
    context: Arc<Context>,
    governor: Governor,
    /// Bytes moved when the governor last looked.
    moved_bytes: u64,
    inbox: mpsc::Receiver<Request>,
    flights: BTreeMap<FlightKey, Running>,
    jobs: JoinSet<End>,
    /// Which flight a job belongs to, for jobs that panic.
    keys: HashMap<Id, FlightKey>,
}

/// The reference, and the rights it is asked for with: who lacks them shares no refusal with who has them.
type FlightKey = (String, Rights);

struct Running {
    image: ImageRef,
    access: RegistryAccess,
    essential: bool,
    outcome: Arc<watch::Sender<Outcome>>,
}

/// How a job ended.
enum End {
    Ready(Box<Result<ReadyImage, ImageError>>),
    Abandoned,
}

enum Event {
    Request(Request),
    Ended(Result<(Id, End), JoinError>),
    Sample,
    Stop,
}

impl ImagesService {
    /// Runs until `shutdown`; then all pulls are cancelled and everybody who waits gets `Cancelled`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut samples = tokio::time::interval(SAMPLE);
        samples.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match self.next(&mut samples, &shutdown).await {
                Event::Request(request) => self.begin(request),
                Event::Ended(ended) => self.ended(ended),
                Event::Sample => self.govern(),
                Event::Stop => break,
            }
        }
        self.jobs.shutdown().await;
    }

    async fn next(&mut self, samples: &mut Interval, shutdown: &CancellationToken) -> Event {
        // Each source is cancel safe: a message, a joined job or a tick that is not taken is still there next time.
        tokio::select! {
            () = shutdown.cancelled() => Event::Stop,
            request = self.inbox.recv() => request.map_or(Event::Stop, Event::Request),
            Some(ended) = self.jobs.join_next_with_id() => Event::Ended(ended),
            _ = samples.tick() => Event::Sample,
        }
    }

    fn begin(&mut self, request: Request) {
        let key = (request.image.normalized(), request.access.rights());
        if let Some(running) = self.flights.get_mut(&key) {
            if request.essential && !running.essential {
                running.essential = true;
                self.context.slots.promote(&key.0);
                if let Some(view) = self.context.state().board.get_mut(&key.0) {
                    view.essential = true;
                }
            }
            // A caller that has gone drops the receiver, and with it its interest in the pull.
            drop(request.reply.send(running.outcome.subscribe()));
            return;
        }
        let (sender, receiver) = watch::channel(None);
        if self.flights.len() >= MAX_FLIGHTS {
            let refusal = reason::other(ErrorKind::Throttled, "too many images are asked for");
            sender.send_replace(Some(Err(refusal)));
            drop(request.reply.send(receiver));
            return;
        }
        drop(request.reply.send(receiver));
        let running = Running {
            image: request.image,
            access: request.access,
            essential: request.essential,
            outcome: Arc::new(sender),
        };
        self.launch(&key, &running);
        self.flights.insert(key, running);
    }

    fn launch(&mut self, key: &FlightKey, running: &Running) {
        let view = PullView {
            state: PullState::Checking,
            essential: running.essential,
            since: self.context.clock.now(),
        };
        let name = key.0.clone();
        self.context.state().board.insert(name.clone(), view);
        let context = Arc::clone(&self.context);
        let (image, access) = (running.image.clone(), running.access.clone());
        let essential = running.essential;
        let outcome = Arc::clone(&running.outcome);
        let job = self.jobs.spawn(async move {
            // Dropping `ensure` cancels its pull; `closed` can be asked again at any time.
            tokio::select! {
                result = ensure(&context, &name, (&image, &access), essential) => End::Ready(Box::new(result)),
                () = outcome.closed() => End::Abandoned,
            }
        });
        self.keys.insert(job.id(), key.clone());
    }

    fn ended(&mut self, ended: Result<(Id, End), JoinError>) {
        let (id, end) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(event = "image-task-panicked", %error, "making an image ready failed unexpectedly");
                let failure = reason::other(ErrorKind::Transient, "the agent failed unexpectedly");
                (error.id(), End::Ready(Box::new(Err(failure))))
            }
        };
        let Some(key) = self.keys.remove(&id) else {
            return;
        };
        let Some(running) = self.flights.remove(&key) else {
            return;
        };
        // The same image may be wanted with other rights too.
        if !self.flights.keys().any(|(name, _)| *name == key.0) {
            self.context.state().board.remove(&key.0);
        }
        match end {
            End::Ready(result) => {
                self.remember(&result);
                running.outcome.send_replace(Some(*result));
            }
            // Somebody came after the flight had given up: it begins anew.
            End::Abandoned if running.outcome.receiver_count() > 0 => {
                self.launch(&key, &running);
                self.flights.insert(key, running);
            }
            End::Abandoned => {}
        }
    }

    fn remember(&self, result: &Result<ReadyImage, ImageError>) {
        if let Ok(ready) = result {
            let mut state = self.context.state();
            for record in [Some(&ready.record), ready.superseded.as_ref()] {
                let record = record.into_iter().cloned();
                state
                    .records
                    .extend(record.map(|r| (r.reference.clone(), r)));
            }
        }
    }

    fn govern(&mut self) {
        let load = self.context.slots.load();
        let before = self.governor.limit();
        self.governor = self.governor.after(Sample {
            bytes: load.moved_bytes.saturating_sub(self.moved_bytes),
            running: load.active,
            waiting: load.waiting,
        });
        self.moved_bytes = load.moved_bytes;
        if self.governor.limit() != before {
            tracing::debug!(
                limit = self.governor.limit(),
                "changed the number of pulls at once"
            );
            self.context.slots.set_limit(self.governor.limit());
        }
    }
}
