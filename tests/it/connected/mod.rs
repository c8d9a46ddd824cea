//! Connected mode against a control plane double, with a real engine over a fake Docker: the checks of the
//! specification that need both, and faults.
//!
//! Sockets are real, so time is too: waits of minutes are tested in the pure parts.

mod registration;

mod session;

mod payload;

mod manifest;

mod report;

mod telemetry;

mod ec2;

mod bad_frames;

mod credentials;

mod facts;

mod network;

mod protection;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::config::{Credentials, SharedCredentialsProvider};
use berth::boundary::InstanceMetadata;
use berth::domain::host::Gpus;
use berth::domain::ids::TaskArn;
use berth::domain::status::TaskStatus;
use berth::ecs::{
    AgentVersion, Ec2Settings, EcsConfig, FactsApi, Features, Network, Outside, ProtectionApi,
    SentCredentials, StatusHandle, Usage, service,
};
use berth::testing::clock::SeededIds;
use berth::testing::sim::Simulation;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::control_plane::{ControlPlane, KEY, REGION, SECRET};

/// A host with an engine, connected to a control plane.
struct Host {
    plane: ControlPlane,
    sim: Simulation,
    agent: Option<(CancellationToken, JoinSet<()>)>,
    ids: Arc<SeededIds>,
    cluster: Option<String>,
    status: Option<StatusHandle>,
    metadata: Option<Arc<dyn InstanceMetadata>>,
    ec2: Ec2Settings,
    sent: SentCredentials,
    protection: ProtectionApi,
    facts: FactsApi,
    /// What containers use.
    usage: Option<Usage>,
    network: Network,
    /// The region's endpoints are used.
    no_endpoint: bool,
    external: bool,
    hide_zone: bool,
    cloud_init: &'static str,
    region: Option<String>,
    tags: BTreeMap<String, String>,
    unread: Vec<&'static str>,
    /// The host goes down.
    leave: CancellationToken,
    _world: JoinSet<()>,
}

impl Host {
    async fn new() -> Self {
        let mut host = Self::unconnected().await;
        host.start();
        host
    }

    async fn unconnected() -> Self {
        let sim = Simulation::new();
        let mut world = JoinSet::new();
        let processes = sim.world.clone();
        world.spawn(async move {
            loop {
                processes.tick();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        Self {
            plane: ControlPlane::start().await,
            sim,
            agent: None,
            ids: Arc::new(SeededIds::new(3)),
            cluster: Some("lab".to_owned()),
            status: None,
            metadata: None,
            ec2: Ec2Settings::default(),
            sent: SentCredentials::default(),
            protection: ProtectionApi::default(),
            facts: FactsApi::default(),
            usage: Some(usage()),
            network: Network::default(),
            no_endpoint: false,
            external: false,
            hide_zone: false,
            cloud_init: "",
            region: Some(REGION.to_owned()),
            tags: BTreeMap::new(),
            unread: Vec::new(),
            leave: CancellationToken::new(),
            _world: world,
        }
    }

    /// Starts the engine and connected mode.
    fn start(&mut self) {
        self.sim.start();
        let key = Credentials::new(KEY, SECRET, None, None, "test");
        let config = EcsConfig {
            cluster: self.cluster.clone(),
            region: self.region.clone(),
            endpoint: (!self.no_endpoint).then(|| self.plane.url()),
            attributes: BTreeMap::new(),
            unread: self.unread.clone(),
            log_drivers: BTreeSet::new(),
            tags: self.tags.clone(),
            reserved_ports: (vec![22], Vec::new()),
            features: Features {
                privileged: true,
                task_limits: true,
                task_roles: true,
                execution_roles: true,
                log_roles: false,
                health_checks: true,
                exclude_ipv6_bindings: true,
            },
            exclude_ipv4_bindings: false,
            external: self.external,
            hide_zone: self.hide_zone,
            ec2: self.ec2,
            ec2_endpoint: Some(self.plane.url()),
            network: self.network.clone(),
            version: AgentVersion {
                version: "1.2.3".into(),
                commit: "abcdef01".into(),
            },
            call_limit: Duration::from_secs(5),
        };
        let cloud_init = self.cloud_init;
        let outside = Outside {
            engine: self.sim.handle(),
            runtime: Arc::new(self.sim.world.clone()),
            store: Arc::new(self.sim.store.clone()),
            clock: self.sim.clock.clone(),
            ids: self.ids.clone(),
            credentials: Box::new(move |_| SharedCredentialsProvider::new(key.clone())),
            metadata: self.metadata.clone(),
            sent: self.sent.clone(),
            protection: self.protection.clone(),
            facts: self.facts.clone(),
            roles: None,
            usage: self.usage.clone(),
            cloud_init: Arc::new(move || cloud_init.to_owned()),
            os: "linux; debian_12".to_owned(),
            leave: self.leave.clone(),
        };
        let (service, status) = service(config, outside);
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(service.run(stop.clone()));
        self.status = Some(status);
        self.agent = Some((stop, running));
    }

    /// What the list of GPUs says from the next start on; `None` = tasks get none.
    fn list_gpus(&self, ids: Option<&[&str]>) {
        let mut facts = self.sim.facts.lock().expect("not poisoned");
        facts.gpus = ids.map(|ids| Gpus {
            driver_version: Some("535.54.03".to_owned()),
            ids: ids.iter().map(|&id| id.to_owned()).collect(),
        });
    }

    /// kill -9.
    async fn crash(&mut self) {
        if let Some((_, mut running)) = self.agent.take() {
            running.shutdown().await;
        }
        self.sim.crash().await;
    }

    /// Waits until the agent says of its connection what holds these words.
    async fn until_told(&self, words: &str) {
        let status = self.status.as_ref().expect("a status");
        let told = || {
            let problem = status.now().problem;
            problem.filter(|problem| problem.contains(words))
        };
        self.plane.until(words, told).await;
    }

    fn status_of(&self, arn: &str) -> Option<TaskStatus> {
        self.sim.status(&TaskArn::parse(arn).expect("an ARN"))
    }
}

fn usage() -> Usage {
    Arc::new(Arc::default)
}

fn arn(id: &str) -> String {
    format!("arn:aws:ecs:us-west-2:123456789012:task/lab/{id}")
}

const SERVE: &str = "trap 'exit 0' TERM; sleep 100000";

fn task(id: &str, command: &str, status: &str) -> Value {
    json!({
        "arn": arn(id), "desiredStatus": status, "family": "lab", "version": "1",
        "containers": [{
            "name": "main", "image": "busybox:1", "essential": true, "cpu": 1, "memory": 6,
            "command": ["sh", "-c", command],
        }],
    })
}

fn statuses(changes: &[Value]) -> Vec<&str> {
    changes
        .iter()
        .filter_map(|change| change["status"].as_str())
        .collect()
}
