//! Telemetry sessions.

use std::sync::Arc;
use std::time::Duration;

use berth::boundary::ErrorKind;
use berth::domain::usage::{CgroupVersion, ContainerSample, CpuUsage, HostCpu};
use berth::ecs::Usage;
use berth::stats::{ContainerUsage, UsageSnapshot};
use berth::testing::world::{Effect, Fault, Operation, World};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Host, SERVE, arn, task};
use crate::support::control_plane::INSTANCE;

/// How well the container engine is, as it was told.
fn runtime_told(host: &Host) -> Vec<Value> {
    let requests = host.plane.telemetry_of("PublishInstanceStatusRequest");
    let told = requests.into_iter().map(|request| {
        assert_eq!(request["metadata"]["containerInstance"], INSTANCE);
        assert_eq!(request["statuses"].as_array().expect("a list").len(), 1);
        request["statuses"][0].clone()
    });
    told.collect()
}

async fn until_told(host: &Host, count: usize) {
    host.plane
        .until("it is told", || {
            (runtime_told(host).len() == count).then_some(())
        })
        .await;
}

#[tokio::test]
async fn check_118_to_120_an_idle_instance_says_so_with_signed_frames() {
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

/// Told once after connecting, and once for each heartbeat: what a ping of two seconds at most has shown, and when.
#[tokio::test]
async fn check_062_130_and_131_each_heartbeat_is_one_look_at_docker_and_one_word_of_it() {
    let host = Host::new().await;
    let looks = [
        None,
        Some(Effect::Hang(Duration::MAX)),
        Some(Effect::Fail(ErrorKind::Unavailable)),
        None,
    ];
    for (count, effect) in (1..).zip(looks) {
        until_told(&host, count).await;
        if let Some(effect) = effect {
            host.sim.world.add_fault(Fault {
                operation: Operation::Ping,
                about: String::new(),
                times: 1,
                effect,
            });
        }
        let id = format!("h{count}");
        let heartbeat = json!({"messageId": id});
        host.plane.say("HeartbeatMessage", heartbeat).await;
        let answered = || host.plane.heard_of("HeartbeatAckRequest").pop();
        host.plane
            .until("an answer", || {
                answered().filter(|it| it["messageId"] == *id)
            })
            .await;
        let hangs = matches!(effect, Some(Effect::Hang(_)));
        assert!(!hangs || runtime_told(&host).len() == count, "it waits");
        until_told(&host, count + 1).await;
    }
    let told = runtime_told(&host);
    let statuses: Vec<&Value> = told.iter().map(|it| &it["status"]).collect();
    assert_eq!(
        statuses,
        ["INITIALIZING", "OK", "IMPAIRED", "IMPAIRED", "OK"]
    );
    assert!(told.iter().all(|it| it["type"] == "ContainerRuntime"));
    let looked_at = |index: usize| told[index]["lastUpdated"].as_f64().expect("a time");
    // Two seconds, of which a millisecond is rounded off.
    assert!(looked_at(2) - looked_at(1) > 1.99);
    assert!(looked_at(3) > looked_at(2));
    assert_eq!(told[2]["lastStatusChange"], told[2]["lastUpdated"]);
    assert_eq!(told[3]["lastStatusChange"], told[2]["lastUpdated"]);
    assert_eq!(host.sim.world.calls(Operation::Ping), 4);
    assert_eq!(host.plane.bad_signatures(), [""; 0]);
}

/// Without readings the session stays and says that the instance is idle.
#[tokio::test]
async fn check_136_without_metrics_the_session_says_idle_also_while_tasks_run() {
    let mut host = Host::unconnected().await;
    host.usage = None;
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

/// Readings of all containers of the world, another each time; each keeps one of two CPUs busy.
fn readings(world: World) -> Usage {
    let began = Instant::now();
    Arc::new(move || {
        let taken = began.elapsed();
        let sample = Arc::new(ContainerSample {
            taken,
            version: CgroupVersion::V2,
            cpu: CpuUsage {
                total_ns: u64::try_from(taken.as_nanos()).expect("a number"),
                ..CpuUsage::default()
            },
            host_cpu: HostCpu {
                online: 2,
                ..HostCpu::default()
            },
            ..ContainerSample::default()
        });
        let mut snapshot = UsageSnapshot::default();
        for container in world.containers() {
            let usage = ContainerUsage {
                docker_id: container.id,
                docker_name: container.spec.docker_name.into(),
                latest: Some(Arc::clone(&sample)),
                previous: None,
                rates: None,
            };
            let task = snapshot.tasks.entry(container.task).or_default();
            task.containers.insert(container.name, usage);
        }
        Arc::new(snapshot)
    })
}

/// The requests of that type of which the instance is not idle, once there are so many.
async fn parts(host: &Host, kind: &str, count: usize) -> Vec<Value> {
    let told = || {
        let mut all = host.plane.telemetry_of(kind);
        all.retain(|request| request["metadata"]["idle"] != true);
        (all.len() == count).then_some(all)
    };
    host.plane.until(kind, told).await
}

/// Parts of one round of eleven tasks.
fn are_one_round(parts: &[Value], tasks: &str) {
    let of = |name: &str| -> Vec<&Value> { parts.iter().map(|it| &it["metadata"][name]).collect() };
    assert_eq!(of("fin"), [&json!(false), &json!(true)]);
    let ids = of("messageId");
    assert!(ids[0].is_string() && ids[0] == ids[1], "{ids:?}");
    let counts: Vec<_> = parts
        .iter()
        .map(|it| it[tasks].as_array().map(Vec::len))
        .collect();
    assert_eq!(counts, [Some(10), Some(1)]);
}

fn is_a_pace(time: Duration) {
    assert!((18..24).contains(&time.as_secs()), "{time:?}");
}

async fn busy_rounds() {
    let mut host = Host::unconnected().await;
    host.usage = Some(readings(host.sim.world.clone()));
    host.start();
    let ids: Vec<String> = (0..11).map(|number| format!("t{number}")).collect();
    let tasks = ids.iter().map(|id| {
        let mut task = task(id, SERVE, "RUNNING");
        let check = json!({"Healthcheck": {"Test": ["CMD-SHELL", "true"]}});
        task["containers"][0]["healthCheckType"] = json!("docker");
        task["containers"][0]["dockerConfig"] = json!({"config": check.to_string()});
        task
    });
    let tasks: Vec<Value> = tasks.collect();
    host.plane.payload("m1", 1, &tasks).await;
    for id in &ids {
        host.plane.change(&arn(id), "RUNNING").await;
    }
    // The first round of an agent is at its start: the next one finds them running.
    host.crash().await;
    host.start();
    let health = parts(&host, "PublishHealthRequest", 2).await;
    let before = Instant::now();
    are_one_round(&health, "tasks");
    assert_eq!(
        health[0]["tasks"][0]["containers"][0]["containerName"],
        "main"
    );
    // It needs two readings.
    let metrics = parts(&host, "PublishMetricsRequest", 2).await;
    is_a_pace(before.elapsed());
    are_one_round(&metrics, "taskMetrics");
    assert_eq!(metrics[0]["metadata"]["idle"], false);
    let container = &metrics[0]["taskMetrics"][0]["containerMetrics"][0];
    let cpu = container["cpuStatsSet"]["max"].as_f64().expect("a number");
    assert!((cpu - 50.0).abs() < 0.1, "{cpu}");
    let health = parts(&host, "PublishHealthRequest", 4).await;
    are_one_round(&health[2..], "tasks");
    assert_ne!(
        health[2]["metadata"]["messageId"],
        health[0]["metadata"]["messageId"]
    );
    assert_eq!(host.plane.bad_signatures(), [""; 0]);
}

async fn idle_rounds() {
    let host = Host::new().await;
    let plane = &host.plane;
    let told = |count| {
        plane.until("a round", move || {
            let told = plane.telemetry_of("PublishMetricsRequest");
            (told.len() == count).then_some(told)
        })
    };
    told(1).await;
    let before = Instant::now();
    let told = told(2).await;
    is_a_pace(before.elapsed());
    for request in &told {
        let metadata = &request["metadata"];
        assert_eq!(
            (&metadata["idle"], &metadata["fin"]),
            (&json!(true), &json!(true))
        );
        assert_eq!(request.get("taskMetrics"), None);
    }
    assert!(host.plane.telemetry_of("PublishHealthRequest").is_empty());
}

/// In real time, since sockets have no other; what is asked of one round in parts is asked beside that.
#[tokio::test]
async fn check_120_121_122_and_129_rounds_are_20_seconds_apart_and_in_parts_of_ten_tasks() {
    tokio::join!(busy_rounds(), idle_rounds());
}

async fn telemetry_sessions(host: &Host, count: usize) {
    host.plane
        .until("a telemetry session", || {
            (host.plane.telemetry_opened() == count).then_some(())
        })
        .await;
}

#[tokio::test]
async fn check_048_an_inactive_instance_closes_its_telemetry() {
    let host = Host::new().await;
    telemetry_sessions(&host, 1).await;
    host.plane
        .refuse(400, r#"{"InactiveInstanceException": "gone"}"#);
    host.plane
        .until("it is let go", || host.plane.vanish().then_some(()))
        .await;
    host.until_told("InactiveInstanceException").await;
    let closed = || Some(host.plane.telemetry_closed()).filter(|codes| !codes.is_empty());
    let codes = host.plane.until("it is closed", closed).await;
    assert_eq!(codes, [1000], "check 133");
    // That loop goes on (reference agent).
    telemetry_sessions(&host, 2).await;
    assert_eq!(host.plane.opened().len(), 1);
    assert_eq!(host.plane.calls("RegisterContainerInstance").len(), 1);
}

#[tokio::test]
async fn check_134_a_telemetry_session_that_is_closed_is_opened_again() {
    let host = Host::new().await;
    telemetry_sessions(&host, 1).await;
    assert!(host.plane.close_telemetry(1000));
    telemetry_sessions(&host, 2).await;
}
