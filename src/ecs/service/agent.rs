//! The component: what its loops share, and the order in which they begin.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::conversation::Conversation;
use super::discovery::Discovery;
use super::ec2::{self, Ec2};
use super::status::{StatusBoard, StatusHandle};
use super::telemetry::Telemetry;
use super::{origin, registrar};
use crate::boundary::{Clock, Ids, InstanceMetadata, InstanceStore, RuntimePing};
use crate::credentials::CredentialsHandle;
use crate::domain::credentials::{CredentialsId, RoleKind};
use crate::domain::ids::UnixMillis;
use crate::domain::task_ids::uuid;
use crate::ecs::acs::Delivery;
use crate::ecs::api::{ControlPlane, FactsApi, HostCredentials, ProtectionApi, Sdk};
use crate::ecs::config::EcsConfig;
use crate::ecs::connect::Connector;
use crate::ecs::credentials::SentCredentials;
use crate::ecs::link::Chance;
use crate::ecs::report::{Rejections, ReportConfig, Sender};
use crate::reconcile::ReconcilerHandle;
use crate::stats::UsageSnapshot;

/// What containers use, as it was last read.
pub type Usage = Arc<dyn Fn() -> Arc<UsageSnapshot> + Send + Sync>;

/// What connected mode works with.
pub struct Outside {
    /// The engine.
    pub engine: ReconcilerHandle,
    /// The container engine, as far as it must answer.
    pub runtime: Arc<dyn RuntimePing>,
    /// What this host is to the control plane.
    pub store: Arc<dyn InstanceStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub ids: Arc<dyn Ids>,
    /// Makes the credentials of this host, for a region.
    pub credentials: Box<dyn Fn(&str) -> HostCredentials + Send + Sync>,
    /// The instance metadata service; `None` = it is not asked.
    pub metadata: Option<Arc<dyn InstanceMetadata>>,
    /// Where credentials of tasks go.
    pub sent: SentCredentials,
    /// Who serves them; `None` = nobody.
    pub roles: Option<CredentialsHandle>,
    /// Where tasks ask for their protection.
    pub protection: ProtectionApi,
    /// Where they ask for what ECS says of them.
    pub facts: FactsApi,
    /// What containers use; `None` = nobody reads it, and the instance says that it is idle.
    pub usage: Option<Usage>,
    /// What cloud-init says of this boot now, JSON; empty = nothing.
    pub cloud_init: Arc<dyn Fn() -> String + Send + Sync>,
    /// The operating system, for the name under which calls are made.
    pub os: String,
    /// Cancelled when the host goes down: no work is taken any more, what becomes of the old is still told.
    pub leave: CancellationToken,
}

/// What the loops share.
pub(super) struct Shared {
    pub(super) config: EcsConfig,
    pub(super) api: Arc<dyn ControlPlane>,
    pub(super) engine: ReconcilerHandle,
    pub(super) runtime: Arc<dyn RuntimePing>,
    /// What this host is to EC2; `None` = nobody is asked.
    pub(super) ec2: Option<Ec2>,
    /// Its id there, as far as it is known.
    pub(super) instance_id: Option<String>,
    pub(super) store: Arc<dyn InstanceStore>,
    pub(super) discovery: Discovery,
    pub(super) connector: Connector,
    pub(super) region: String,
    pub(super) status: StatusBoard,
    /// One for all tries of this start.
    pub(super) client_token: String,
    /// When this process began.
    pub(super) began: UnixMillis,
    pub(super) usage: Option<Usage>,
    pub(super) cloud_init: Arc<dyn Fn() -> String + Send + Sync>,
    /// Counts heartbeats of ACS.
    pub(super) heartbeats: watch::Sender<u64>,
    /// Counts how often ACS said that the instance is not active.
    pub(super) inactive: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    sent: SentCredentials,
    pub(super) facts: FactsApi,
    roles: Option<CredentialsHandle>,
}

impl Shared {
    /// Version of Docker, as sessions are told; `None` = it has not said yet.
    pub(super) fn docker_version(&self) -> Option<String> {
        let snapshot = self.engine.snapshot();
        let version = &snapshot.engine.host.as_ref()?.runtime_version;
        (!version.is_empty()).then(|| version.clone())
    }

    pub(super) fn chance(&self) -> Chance {
        let part = self.ids.jitter(Duration::from_secs(1)).as_millis();
        Chance::per_mille(u16::try_from(part).unwrap_or_default())
    }

    pub(super) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    pub(super) fn fresh_uuid(&self) -> String {
        uuid(self.ids.bits())
    }

    /// Says what keeps connected mode from working: once, and again when it is something else.
    pub(super) fn tell(&self, words: &str, what: &str) {
        if self.status.problem(words) {
            warn!(event = "connection-failing", error = words, "{what}");
        }
    }

    /// The sessions are let go of for good.
    fn left(&self) {
        self.status.closed();
        self.status
            .problem("the host goes down; no work is taken from ECS");
    }

    /// Credentials can be served from now on.
    pub(super) fn deliver(&self, delivery: Delivery) {
        // Containers ask by the id that they were told when they were made, whatever it is called since.
        if let Some(told) = self
            .told_id(&delivery)
            .filter(|id| *id != delivery.given.id)
        {
            let mut as_told = delivery.clone();
            as_told.given.id = told;
            self.serve(as_told);
        }
        self.serve(delivery);
    }

    /// The id under which containers of the task ask for that role.
    fn told_id(&self, delivery: &Delivery) -> Option<CredentialsId> {
        let snapshot = self.engine.snapshot();
        let ids = &snapshot.tasks.get(&delivery.task)?.task.desired.ids;
        match delivery.kind {
            RoleKind::Task => ids.task_role.clone(),
            RoleKind::Execution => ids.execution_role.clone(),
        }
    }

    fn serve(&self, delivery: Delivery) {
        self.sent.keep(&delivery);
        let given = delivery.given;
        if let Some(roles) = &self.roles
            && let Err(error) = roles.push(given.id, given.credentials)
        {
            // They are had from what was sent when they are asked for next.
            warn!(event = "credentials-delivery-late", task.arn = %delivery.task, %error, "new credentials are not served at once");
        }
    }

    /// Credentials of tasks that are gone go too.
    pub(super) fn forget_credentials(&self) {
        let snapshot = self.engine.snapshot();
        let ids = snapshot.tasks.values().map(|view| &view.task.desired.ids);
        let ids = ids.flat_map(|ids| [ids.task_role.clone(), ids.execution_role.clone()]);
        let live: std::collections::BTreeSet<CredentialsId> = ids.flatten().collect();
        self.sent.retain(|id| live.contains(id));
    }
}

/// Connected mode, not begun.
pub struct Service {
    config: EcsConfig,
    outside: Outside,
    status: StatusBoard,
    began: UnixMillis,
}

/// Builds it. Nothing is asked before [`Service::run`] is polled.
pub fn service(config: EcsConfig, outside: Outside) -> (Service, StatusHandle) {
    let (status, handle) = StatusBoard::new(config.cluster());
    let service = Service {
        config,
        began: outside.clock.now(),
        outside,
        status,
    };
    (service, handle)
}

impl Service {
    /// Runs until `shutdown`. Ends early only by a fault of its own.
    pub async fn run(self, shutdown: CancellationToken) {
        let leave = self.outside.leave.clone();
        let begun = shutdown.run_until_cancelled(self.begin()).await;
        let Some((shared, sender, rejections)) = begun else {
            return;
        };
        let mut loops = JoinSet::new();
        // Reports do not wait for the registration: tasks of before the restart may have ended.
        loops.spawn(sender.run(shutdown.child_token()));
        let (stop, left) = (shutdown.child_token(), leave.child_token());
        loops.spawn(async move {
            let board = Arc::clone(&shared);
            // Cancel-safe: a session that is let go of is opened again by nobody, and its jobs are asked for again.
            tokio::select! {
                () = take_work(shared, rejections, stop.clone()) => {}
                () = left.cancelled() => board.left(),
            }
            stop.cancelled().await;
        });
        // Whichever ends first: told to, or broken, and then the whole is.
        if let Some(Err(error)) = loops.join_next().await {
            warn!(event = "connected-panicked", %error, "connected mode failed unexpectedly");
        }
        loops.shutdown().await;
    }

    /// Finds out what must be known before anything is said to ECS: the region, and whether what is in the store is of
    /// this host.
    async fn begin(self) -> (Arc<Shared>, Sender, Rejections) {
        let Self {
            config,
            outside,
            status,
            began,
        } = self;
        let metadata = outside.metadata.filter(|_| !config.external);
        let ec2 = metadata.map(Ec2::new);
        let origin = origin::find(&config, &outside.store, ec2.as_ref(), &status).await;
        info!(
            event = "connecting",
            cluster = config.cluster(),
            region = origin.region,
            "connecting to ECS"
        );
        let region = origin.region.clone();
        outside.engine.found_region(region).await;
        let credentials = (outside.credentials)(&origin.region);
        let api = Sdk::new(&config, &origin.region, credentials.clone(), &outside.os);
        api.serve_protection(&outside.protection, config.cluster());
        api.serve_facts(&outside.facts);
        let api: Arc<dyn ControlPlane> = Arc::new(api);
        let report = ReportConfig {
            cluster: config.cluster().to_owned(),
            exclude_ipv6_bindings: config.features.exclude_ipv6_bindings,
            exclude_ipv4_bindings: config.exclude_ipv4_bindings,
        };
        let (engine, ids) = (outside.engine.clone(), outside.ids.clone());
        let (sender, rejections) = Sender::new(report, api.clone(), engine, ids);
        let (network, clock) = (config.network.clone(), outside.clock.clone());
        let shared = Arc::new(Shared {
            config,
            discovery: Discovery::new(api.clone()),
            api,
            ec2,
            engine: outside.engine,
            runtime: outside.runtime,
            store: outside.store,
            connector: Connector::new(credentials, origin.region.clone(), network, clock),
            region: origin.region,
            clock: outside.clock,
            usage: outside.usage,
            cloud_init: outside.cloud_init,
            heartbeats: watch::channel(0).0,
            inactive: watch::channel(0).0,
            status,
            client_token: uuid(outside.ids.bits()),
            began,
            ids: outside.ids,
            sent: outside.sent,
            facts: outside.facts,
            roles: outside.roles,
            instance_id: origin.instance_id,
        });
        if let Some(before) = origin.another {
            origin::disown(&shared, &before).await;
        }
        (shared, sender, rejections)
    }
}

/// Finds out where this host is, and meanwhile registers and takes work from then on.
async fn take_work(shared: Arc<Shared>, rejections: Rejections, stop: CancellationToken) {
    let here = Arc::clone(&shared);
    let (place, work) = (
        ec2::tell_place(&here, &stop),
        work(shared, rejections, stop.clone()),
    );
    tokio::join!(place, work);
}

async fn work(shared: Arc<Shared>, rejections: Rejections, stop: CancellationToken) {
    let Some(instance) = registrar::register(&shared, &stop).await else {
        return;
    };
    let telemetry = Telemetry::new(Arc::clone(&shared), instance.clone());
    let (heartbeats, inactive) = (shared.heartbeats.subscribe(), shared.inactive.subscribe());
    let notices = Arc::clone(&shared);
    let conversation = Conversation::begin(shared, rejections, instance.clone()).await;
    tokio::join!(
        conversation.run(stop.clone()),
        telemetry.run(heartbeats, inactive, stop.clone()),
        ec2::watch_notices(&notices, &instance, stop),
    );
}
