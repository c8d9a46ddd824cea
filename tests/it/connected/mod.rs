//! Connected mode against a control plane double, with a real engine over a fake Docker: the checks of the
//! specification that need both, and faults.
//!
//! Sockets are real, so time is too: waits of minutes are tested in the pure parts.

mod ec2;

mod credentials;

mod network;

mod protection;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::config::{Credentials, SharedCredentialsProvider};
use berth::boundary::store::InstanceStore as _;
use berth::boundary::{Clock as _, InstanceMetadata};
use berth::domain::ids::TaskArn;
use berth::domain::status::TaskStatus;
use berth::ecs::{
    AgentVersion, Ec2Settings, EcsConfig, Features, Network, Outside, ProtectionApi,
    SentCredentials, StatusHandle, Usage, service,
};
use berth::testing::clock::SeededIds;
use berth::testing::sim::Simulation;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::control_plane::{CLUSTER_ARN, ControlPlane, INSTANCE, KEY, REGION, SECRET};

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
    metrics: bool,
    network: Network,
    /// The region's endpoints are used.
    no_endpoint: bool,
    external: bool,
    region: Option<String>,
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
            metrics: true,
            network: Network::default(),
            no_endpoint: false,
            external: false,
            region: Some(REGION.to_owned()),
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
            tags: BTreeMap::new(),
            reserved_ports: (vec![22], Vec::new()),
            features: Features {
                privileged: true,
                task_limits: true,
                task_roles: true,
                exclude_ipv6_bindings: true,
            },
            external: self.external,
            ec2: self.ec2,
            network: self.network.clone(),
            version: AgentVersion {
                version: "1.2.3".into(),
                commit: "abcdef01".into(),
            },
            call_limit: Duration::from_secs(5),
        };
        let outside = Outside {
            engine: self.sim.handle(),
            store: Arc::new(self.sim.store.clone()),
            clock: self.sim.clock.clone(),
            ids: self.ids.clone(),
            credentials: Box::new(move |_| SharedCredentialsProvider::new(key.clone())),
            metadata: self.metadata.clone(),
            sent: self.sent.clone(),
            protection: self.protection.clone(),
            roles: None,
            usage: self.metrics.then(usage),
            os: "linux",
        };
        let (service, status) = service(config, outside);
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(service.run(stop.clone()));
        self.status = Some(status);
        self.agent = Some((stop, running));
    }

    /// kill -9.
    async fn crash(&mut self) {
        if let Some((_, mut running)) = self.agent.take() {
            running.shutdown().await;
        }
        self.sim.crash().await;
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

#[tokio::test]
async fn check_004_and_005_calls_are_signed_and_say_who_calls() {
    let host = Host::new().await;
    host.plane
        .payload("m1", 1, &[task("a", "exit 3", "RUNNING")])
        .await;
    let stopped = host.plane.change(&arn("a"), "STOPPED").await;
    assert_eq!(stopped["containers"][0]["exitCode"], 3);
    assert_eq!(host.plane.bad_signatures(), [""; 0]);
    for call in host.plane.all_calls() {
        let expected = "Amazon ECS Agent - v1.2.3 (abcdef01) (linux) (+http://aws.amazon.com/ecs/)";
        assert_eq!(call.user_agent, expected, "{}", call.operation);
    }
}

#[tokio::test]
async fn check_008_and_016_tries_of_one_start_share_a_token_and_a_restart_is_the_same_instance() {
    let mut host = Host::unconnected().await;
    host.plane
        .fail("RegisterContainerInstance", 1, 500, "ServerException");
    host.start();
    let calls = |host: &Host| host.plane.calls("RegisterContainerInstance");
    host.plane
        .until("it is registered", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    let first = calls(&host);
    assert_eq!(first.len(), 2, "check 032: tried again");
    assert_eq!(first[0]["clientToken"], first[1]["clientToken"]);
    host.crash().await;
    host.start();
    host.plane
        .until("it is registered again", || {
            (host.plane.opened().len() == 2).then_some(())
        })
        .await;
    let again = &calls(&host)[2];
    assert_ne!(again["clientToken"], first[0]["clientToken"]);
    assert_eq!(again["containerInstanceArn"], INSTANCE);
    let facts = host.sim.store.facts().await.expect("facts");
    assert_eq!(facts["container-instance-arn"], INSTANCE, "check 035");
    assert_eq!(facts["availability-zone"], "us-west-2a", "check 035");
}

#[tokio::test]
async fn check_010_another_cluster_than_before_is_not_registered_in() {
    let mut host = Host::new().await;
    host.plane
        .until("it is registered", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    host.crash().await;
    host.cluster = Some("other".to_owned());
    host.start();
    let status = host.status.clone().expect("a status");
    host.plane
        .until("it says so", || {
            status
                .now()
                .problem
                .filter(|words| words.contains("registered in cluster lab"))
        })
        .await;
    assert_eq!(host.plane.calls("RegisterContainerInstance").len(), 1);
}

#[tokio::test]
async fn check_029_a_refusal_for_good_is_told_and_tasks_go_on() {
    let mut host = Host::unconnected().await;
    host.plane
        .fail("RegisterContainerInstance", 1, 400, "ClientException");
    host.start();
    let status = host.status.clone().expect("a status");
    host.plane
        .until("it says so", || {
            status
                .now()
                .problem
                .filter(|words| words.contains("ClientException"))
        })
        .await;
    assert!(host.sim.agent_runs());
}

#[tokio::test]
async fn check_033_the_default_cluster_is_made_when_it_is_missing() {
    let mut host = Host::unconnected().await;
    host.cluster = None;
    host.plane.fail(
        "RegisterContainerInstance",
        1,
        400,
        "ClusterNotFoundException",
    );
    host.start();
    host.plane
        .until("it is registered", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    let operations: Vec<String> = host
        .plane
        .all_calls()
        .into_iter()
        .map(|call| call.operation)
        .collect();
    let expected = [
        "RegisterContainerInstance",
        "CreateCluster",
        "RegisterContainerInstance",
        "DiscoverPollEndpoint",
    ];
    assert_eq!(operations, expected);
    assert_eq!(
        host.plane.calls("CreateCluster"),
        [json!({"clusterName": "default"})]
    );
}

#[tokio::test]
async fn check_037_and_042_later_sessions_ask_for_no_credentials_and_discover_nothing() {
    let host = Host::new().await;
    for count in 1..4_usize {
        host.plane
            .until("a session is open", || {
                (host.plane.opened().len() == count).then_some(())
            })
            .await;
        // Let go of at different points; each is opened again.
        host.plane
            .until("it is let go", || host.plane.vanish().then_some(()))
            .await;
    }
    let asks: Vec<String> = host
        .plane
        .opened()
        .into_iter()
        .take(3)
        .flat_map(|query| {
            query
                .into_iter()
                .filter(|(name, _)| name == "sendCredentials")
        })
        .map(|(_, value)| value)
        .collect();
    assert_eq!(asks, ["true", "false", "false"]);
    assert_eq!(host.plane.calls("DiscoverPollEndpoint").len(), 1);
}

#[tokio::test]
async fn check_042_a_refused_session_does_not_use_the_question_for_credentials_up() {
    let mut host = Host::unconnected().await;
    host.plane.refuse(403, r#"{"AccessDeniedException": "no"}"#);
    host.start();
    host.plane
        .until("a session is open", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    assert!(host.plane.opened()[0].contains(&("sendCredentials".to_owned(), "true".to_owned())));
}

#[tokio::test]
async fn check_047_and_048_an_inactive_instance_is_recognised_and_left_alone() {
    let mut host = Host::unconnected().await;
    host.plane
        .refuse(400, r#"{"InactiveInstanceException": "gone"}"#);
    host.start();
    let status = host.status.clone().expect("a status");
    host.plane
        .until("it says so", || {
            status
                .now()
                .problem
                .filter(|words| words.contains("InactiveInstance"))
        })
        .await;
    // Any other refusal would have been tried again by now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(host.plane.opened().is_empty());
    assert_eq!(host.plane.calls("RegisterContainerInstance").len(), 1);
}

/// The waits themselves are tables of the link; here it is that each code is told apart on the wire.
#[tokio::test]
async fn check_050_a_session_that_is_closed_is_opened_again() {
    let host = Host::new().await;
    for (count, code) in [(1, 1000_u16), (2, 1001), (3, 1011), (4, 1008)] {
        host.plane
            .until("a session is open", || {
                (host.plane.opened().len() == count).then_some(())
            })
            .await;
        host.plane
            .until("it is closed", || host.plane.close(code).then_some(()))
            .await;
    }
    host.plane
        .until("a session is open again", || {
            (host.plane.opened().len() == 5).then_some(())
        })
        .await;
}

#[tokio::test]
async fn check_056_a_ping_is_answered() {
    let host = Host::new().await;
    host.plane
        .until("a session is open", || host.plane.ping().then_some(()))
        .await;
    host.plane
        .until("a pong", || (host.plane.pongs() > 0).then_some(()))
        .await;
}

#[tokio::test]
async fn check_058_rubbish_does_not_end_the_session() {
    let host = Host::new().await;
    for text in [
        "",
        "{",
        r#"{"type": "NewMessage"}"#,
        r#"{"type": "PayloadMessage", "message": {"tasks": 5}}"#,
    ] {
        host.plane.say_text(text).await;
    }
    host.plane
        .say("HeartbeatMessage", json!({"messageId": "h"}))
        .await;
    let ack = host
        .plane
        .until("an answer", || host.plane.heard().pop())
        .await;
    assert_eq!(
        ack,
        json!({"type": "HeartbeatAckRequest", "message": {"messageId": "h"}})
    );
    assert_eq!(host.plane.opened().len(), 1);
}

#[tokio::test]
async fn check_061_heartbeats_are_answered_while_a_payload_hangs() {
    let host = Host::new().await;
    host.plane
        .say("HeartbeatMessage", json!({"messageId": "h0"}))
        .await;
    host.plane
        .until("an answer", || host.plane.heard().pop())
        .await;
    host.sim.gate.hang_commits();
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane
        .say("HeartbeatMessage", json!({"messageId": "h1"}))
        .await;
    host.plane
        .until("an answer", || {
            host.plane
                .heard_of("HeartbeatAckRequest")
                .into_iter()
                .find(|it| it["messageId"] == "h1")
        })
        .await;
    assert!(host.plane.heard_of("AckRequest").is_empty());
}

#[tokio::test]
async fn check_067_a_bad_task_is_reported_the_good_one_runs_and_the_payload_is_not_acknowledged() {
    let host = Host::new().await;
    let bad = json!({"arn": arn("bad"), "containers": [{"name": "x"}], "family": "f"});
    host.plane
        .payload("m1", 1, &[bad, task("good", SERVE, "RUNNING")])
        .await;
    let stopped = host.plane.change(&arn("bad"), "STOPPED").await;
    let reason = stopped["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("UnrecogniedTaskError: Error loading task - "),
        "{reason}"
    );
    assert_eq!(stopped.get("containers"), None);
    host.plane.change(&arn("good"), "RUNNING").await;
    assert!(host.plane.heard_of("AckRequest").is_empty());
}

/// The task without containers that hangs the reference agent.
#[tokio::test]
async fn a_task_without_containers_is_reported() {
    let host = Host::new().await;
    let empty = json!({"arn": arn("empty"), "family": "f", "containers": []});
    host.plane.payload("m1", 1, &[empty]).await;
    host.plane.change(&arn("empty"), "STOPPED").await;
}

#[tokio::test]
async fn check_071_a_task_to_be_stopped_that_nobody_knows_is_reported_stopped_and_never_runs() {
    let host = Host::new().await;
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "STOPPED")])
        .await;
    host.plane.acknowledged("m1").await;
    host.plane.change(&arn("a"), "STOPPED").await;
    assert_eq!(statuses(&host.plane.changes_of(&arn("a"))), ["STOPPED"]);
    assert_eq!(host.sim.world.containers().len(), 0);
    host.plane
        .payload("m2", 2, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.acknowledged("m2").await;
    assert_eq!(
        host.status_of(&arn("a")),
        Some(TaskStatus::Stopped),
        "it does not start again"
    );
}

#[tokio::test]
async fn check_073_what_is_not_durable_is_acknowledged_when_it_comes_again() {
    let host = Host::new().await;
    host.plane
        .until("a session is open", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    host.sim.store.fail_next(1);
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane
        .say("HeartbeatMessage", json!({"messageId": "h"}))
        .await;
    host.plane
        .until("an answer", || {
            host.plane.heard_of("HeartbeatAckRequest").pop()
        })
        .await;
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.acknowledged("m1").await;
    host.plane.change(&arn("a"), "RUNNING").await;
    let acks = host.plane.heard_of("AckRequest");
    assert_eq!(acks.len(), 1, "only the second is durable: {acks:?}");
}

#[tokio::test]
async fn check_074_an_acknowledged_task_survives_a_crash_right_after_it() {
    let mut host = Host::new().await;
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.acknowledged("m1").await;
    host.crash().await;
    host.start();
    host.plane.change(&arn("a"), "RUNNING").await;
}

#[tokio::test]
async fn check_104_what_was_acknowledged_is_not_told_again_after_a_restart() {
    let mut host = Host::new().await;
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.change(&arn("a"), "RUNNING").await;
    let stored = TaskArn::parse(&arn("a")).expect("an ARN");
    host.plane
        .until("it is written down", || {
            host.sim.store.task(&stored)?.known.reported.status
        })
        .await;
    host.crash().await;
    host.start();
    stop_is_told(&host).await;
}

/// The task is stopped by ECS, and both of its changes are told once.
async fn stop_is_told(host: &Host) {
    host.plane
        .payload("m2", 2, &[task("a", SERVE, "STOPPED")])
        .await;
    host.plane.change(&arn("a"), "STOPPED").await;
    assert_eq!(
        statuses(&host.plane.changes_of(&arn("a"))),
        ["RUNNING", "STOPPED"]
    );
}

#[tokio::test]
async fn check_106_a_change_with_invalid_parameters_is_given_up_and_later_ones_are_sent() {
    let host = Host::new().await;
    host.plane
        .fail("SubmitTaskStateChange", 1, 400, "InvalidParameterException");
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.change(&arn("a"), "RUNNING").await;
    stop_is_told(&host).await;
}

#[tokio::test]
async fn check_107_any_other_failure_is_tried_again_and_holds_up_no_other_task() {
    for (status, code) in [
        (400, "AccessDeniedException"),
        (500, "ServerException"),
        (400, "ThrottlingException"),
    ] {
        let host = Host::new().await;
        host.plane.fail("SubmitTaskStateChange", 1, status, code);
        host.plane
            .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
            .await;
        host.plane.change(&arn("a"), "RUNNING").await;
        host.plane
            .payload("m2", 2, &[task("b", SERVE, "RUNNING")])
            .await;
        host.plane.change(&arn("b"), "RUNNING").await;
        host.plane
            .until("it is sent again", || {
                (host.plane.changes_of(&arn("a")).len() == 2).then_some(())
            })
            .await;
    }
}

/// The control plane is away while a task ends; it is told when it is back.
#[tokio::test]
async fn what_happens_while_the_control_plane_is_away_is_told_when_it_is_back() {
    let host = Host::new().await;
    host.plane
        .payload("m1", 1, &[task("a", "sleep 1; exit 7", "RUNNING")])
        .await;
    host.plane.change(&arn("a"), "RUNNING").await;
    host.plane.away(true);
    host.plane
        .until("it ends", || {
            (host.status_of(&arn("a")) == Some(TaskStatus::Stopped)).then_some(())
        })
        .await;
    host.plane.away(false);
    let stopped = host.plane.change(&arn("a"), "STOPPED").await;
    assert_eq!(stopped["containers"][0]["exitCode"], 7);
    host.plane
        .until("a session is open again", || {
            (host.plane.opened().len() > 1).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_payload_of_1000_tasks_is_durable_and_acknowledged() {
    let host = Host::new().await;
    let tasks: Vec<Value> = (0..1000)
        .map(|n| task(&format!("t{n}"), SERVE, "RUNNING"))
        .collect();
    host.plane.payload("m1", 1, &tasks).await;
    host.plane.acknowledged("m1").await;
    assert_eq!(host.sim.store.tasks().len(), 1000);
}

#[tokio::test]
async fn check_088_to_090_a_manifest_stops_what_is_confirmed_and_nothing_else() {
    let host = Host::new().await;
    host.plane
        .payload(
            "m1",
            1,
            &[task("a", SERVE, "RUNNING"), task("b", SERVE, "RUNNING")],
        )
        .await;
    host.plane.change(&arn("b"), "RUNNING").await;
    let manifest = json!({
        "messageId": "manifest", "clusterArn": CLUSTER_ARN, "containerInstanceArn": INSTANCE, "timeline": 5,
        "tasks": [{"taskArn": arn("b"), "desiredStatus": "RUNNING"}],
    });
    host.plane.say("TaskManifestMessage", manifest).await;
    host.plane.acknowledged("manifest").await;
    let facts = host.sim.store.facts().await.expect("facts");
    assert_eq!(facts["task-manifest-seq-num"], "5", "check 091");
    let asked = host
        .plane
        .until("it asks", || {
            host.plane.heard_of("TaskStopVerificationMessage").pop()
        })
        .await;
    let candidates = asked["stopCandidates"].as_array().expect("a list").len();
    assert_eq!(
        (candidates, &asked["stopCandidates"][0]["taskArn"]),
        (1, &json!(arn("a")))
    );
    host.plane
        .say(
            "TaskStopVerificationAck",
            json!({"messageId": "manifest", "stopTasks": [{"taskArn": arn("a")}]}),
        )
        .await;
    host.plane.change(&arn("a"), "STOPPED").await;
    assert_eq!(statuses(&host.plane.changes_of(&arn("b"))), ["RUNNING"]);
}

/// kill -9 again and again in the middle of payloads, acknowledgements and reports: each task is told in order, its
/// end with its exit code, and never anything after that. A report whose answer the crash has swallowed comes again,
/// the same; nothing else does.
#[tokio::test]
async fn crashes_lose_no_end_and_turn_no_order() {
    const ROUNDS: u64 = 100;
    /// Points of a round at which it is killed, 3 ms apart.
    const POINTS: u64 = 25;
    let mut host = Host::new().await;
    for round in 0..ROUNDS {
        let id = format!("r{round}");
        host.plane
            .payload(
                &id,
                i64::try_from(round).expect("a number") + 1,
                &[task(&id, "exit 4", "RUNNING")],
            )
            .await;
        // At another point each time: from before the frame is read to after the end is told.
        tokio::time::sleep(Duration::from_millis(round % POINTS * 3)).await;
        let opened = host.plane.opened().len();
        host.crash().await;
        host.start();
        host.plane
            .until("a session is open again", || {
                (host.plane.opened().len() > opened).then_some(())
            })
            .await;
    }
    // ACS sends again what it has no acknowledgement of.
    for round in 0..ROUNDS {
        let id = format!("r{round}");
        let acks = host.plane.heard_of("AckRequest");
        if !acks.iter().any(|ack| ack["messageId"] == *id) {
            host.plane
                .payload(&id, 100, &[task(&id, "exit 4", "RUNNING")])
                .await;
            host.plane.acknowledged(&id).await;
        }
    }
    for round in 0..ROUNDS {
        let id = arn(&format!("r{round}"));
        let stopped = host.plane.change(&id, "STOPPED").await;
        assert_eq!(stopped["containers"][0]["exitCode"], 4, "{id}");
        let changes = host.plane.changes_of(&id);
        let mut told = statuses(&changes);
        told.dedup();
        assert!(
            told == ["RUNNING", "STOPPED"] || told == ["STOPPED"],
            "{id}: {told:?}"
        );
    }
}

#[tokio::test]
async fn check_118_119_120_and_130_an_idle_instance_says_so_with_signed_frames_and_how_well_it_is()
{
    let host = Host::new().await;
    let metrics = host
        .plane
        .until("it says so", || {
            host.plane.telemetry_of("PublishMetricsRequest").pop()
        })
        .await;
    assert_eq!(
        (&metrics["metadata"]["idle"], &metrics["metadata"]["fin"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(metrics["metadata"]["containerInstance"], INSTANCE);
    assert_eq!(metrics.get("taskMetrics"), None);
    let address = &host.plane.telemetry_addresses()[0];
    assert!(
        address.starts_with(
            "/tcs/ws?agentHash=abcdef01&agentVersion=1.2.3&cluster=lab&containerInstance="
        ),
        "{address}"
    );
    assert_eq!(host.plane.bad_signatures(), [""; 0]);
}

/// Without readings the session stays and says that the instance is idle.
#[tokio::test]
async fn check_136_without_metrics_the_session_says_idle_also_while_tasks_run() {
    let mut host = Host::unconnected().await;
    host.metrics = false;
    host.start();
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.change(&arn("a"), "RUNNING").await;
    host.crash().await;
    let before = host.plane.telemetry_of("PublishMetricsRequest").len();
    host.start();
    let metrics = host
        .plane
        .until("it says so", || {
            let all = host.plane.telemetry_of("PublishMetricsRequest");
            all.get(before).cloned()
        })
        .await;
    assert_eq!(metrics["metadata"]["idle"], true);
    assert_eq!(metrics.get("taskMetrics"), None);
}

#[tokio::test]
async fn check_141_an_agent_that_ends_leaves_its_instance_registered() {
    let mut host = Host::new().await;
    host.plane
        .until("a session is open", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    let (stop, mut running) = host.agent.take().expect("an agent");
    stop.cancel();
    while running.join_next().await.is_some() {}
    let calls = host.plane.all_calls().into_iter();
    let operations: Vec<String> = calls.map(|call| call.operation).collect();
    let expected = ["RegisterContainerInstance", "DiscoverPollEndpoint"];
    assert_eq!(operations, expected);
}

/// What `/healthz` gives the age of.
#[tokio::test]
async fn the_last_word_of_acs_has_an_instant() {
    let host = Host::new().await;
    let status = host.status.clone().expect("a status");
    assert_eq!(status.now().heard_at, None);
    host.plane.say_text("{").await;
    host.plane
        .say("HeartbeatMessage", json!({"messageId": "h"}))
        .await;
    let heard = host
        .plane
        .until("it is heard", || status.now().heard_at)
        .await;
    let now = host.sim.clock.now();
    assert!(now.since(heard) < Duration::from_mins(1));
}
