//! Telemetry by the checks of the specification.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::timers::TCS;
use super::*;
use crate::domain::definition::{HealthCheck, RestartPolicy};
use crate::domain::ids::{DockerId, UnixMillis};
use crate::domain::sample;
use crate::domain::status::{ContainerStatus, Health, TaskStatus};
use crate::domain::task::{KnownContainer, Task};
use crate::domain::usage::{
    BlockIo, CgroupVersion, ContainerSample, CpuUsage, HostCpu, InterfaceCounters, IoEntry,
    MemoryUsage, NetworkUsage,
};
use crate::ecs::link::{Action, Chance, Event, How, Link};

const MIB: u64 = 1024 * 1024;

fn id(digit: char) -> DockerId {
    DockerId::parse(&digit.to_string().repeat(64)).unwrap()
}

/// A task that runs with one container.
fn running(task_id: &str, docker: char) -> Task {
    let mut task = sample::task(sample::definition(&["app"]));
    task.desired.arn = sample::arn(task_id);
    task.known.status = TaskStatus::Running;
    let known = KnownContainer {
        status: ContainerStatus::Running,
        docker_id: Some(id(docker)),
        ..KnownContainer::default()
    };
    task.known.containers.insert(sample::name("app"), known);
    task
}

/// A reading after so many seconds of a container that keeps one of two CPUs busy.
fn reading(seconds: u64) -> Arc<ContainerSample> {
    let counters = InterfaceCounters {
        rx_bytes: 100 * seconds,
        tx_bytes: u64::MAX,
        ..InterfaceCounters::default()
    };
    Arc::new(ContainerSample {
        taken: Duration::from_secs(seconds),
        version: CgroupVersion::V2,
        cpu: CpuUsage {
            total_ns: seconds * 1_000_000_000,
            ..CpuUsage::default()
        },
        host_cpu: HostCpu {
            online: 2,
            ..HostCpu::default()
        },
        memory: MemoryUsage {
            usage: 10 * MIB,
            stats: vec![("inactive_file".into(), 3 * MIB), ("cache".into(), 9 * MIB)],
            ..MemoryUsage::default()
        },
        io: BlockIo {
            bytes: vec![IoEntry {
                major: 8,
                minor: 0,
                op: "Read".into(),
                value: 7,
            }],
            operations: Vec::new(),
        },
        network: Some(NetworkUsage {
            namespace: 1,
            interfaces: [("eth0".into(), counters)].into(),
        }),
        ..ContainerSample::default()
    })
}

fn round() -> Round {
    Round {
        cluster: "lab".to_owned(),
        instance: "arn".to_owned(),
        id: "id".to_owned(),
        at: UnixMillis(1_795_453_120_929),
    }
}

/// Metrics of the one container after readings at these seconds.
fn metrics(series: &mut Series, task: &Task, seconds: &[u64]) -> Value {
    for second in seconds {
        series.record(&id('a'), &reading(*second));
    }
    json!(series.round(std::iter::once(task)))
}

#[test]
fn check_123_a_reading_is_in_one_round() {
    let (mut series, task) = (Series::default(), running("a", 'a'));
    let first = metrics(&mut series, &task, &[5, 10, 10, 15]);
    let container = &first[0]["containerMetrics"][0];
    assert_eq!(container["memoryStatsSet"]["sampleCount"], 3);
    assert_eq!(
        container["cpuStatsSet"]["sampleCount"], 2,
        "the first has no rate"
    );
    let second = metrics(&mut series, &task, &[15, 20]);
    let container = &second[0]["containerMetrics"][0];
    assert_eq!(
        (
            &container["memoryStatsSet"]["sampleCount"],
            &container["cpuStatsSet"]["sampleCount"]
        ),
        (&json!(1), &json!(1))
    );
    assert_eq!(metrics(&mut series, &task, &[]), json!([]));
}

#[test]
fn check_124_125_and_128_use_is_of_the_whole_host_without_cache_and_counters_may_overflow() {
    let (mut series, task) = (Series::default(), running("a", 'a'));
    let metrics = metrics(&mut series, &task, &[5, 10]);
    let container = &metrics[0]["containerMetrics"][0];
    let cpu = container["cpuStatsSet"]["max"].as_f64().unwrap();
    assert!((cpu - 50.0).abs() < 0.001, "{cpu}");
    assert_eq!(
        container["memoryStatsSet"],
        json!({"min": 7.0, "max": 7.0, "sampleCount": 2, "sum": 14.0})
    );
    let network = &container["networkStatsSet"];
    assert_eq!(network["rxBytesPerSecond"]["max"], 100.0);
    assert_eq!(
        network["rxBytes"],
        json!({"min": 500, "max": 1000, "sum": 1500, "sampleCount": 2, "overflowMin": 0, "overflowMax": 0, "overflowSum": 0})
    );
    assert_eq!(
        (
            &network["txBytes"]["max"],
            &network["txBytes"]["overflowMax"]
        ),
        (&json!(i64::MAX), &json!(1))
    );
    assert_eq!(container["storageStatsSet"]["readSizeBytes"]["max"], 7);
}

#[test]
fn check_126_a_container_with_the_network_of_the_host_has_none() {
    let (mut series, task) = (Series::default(), running("a", 'a'));
    for second in [5, 10] {
        let mut sample = ContainerSample::clone(&reading(second));
        sample.network = None;
        series.record(&id('a'), &Arc::new(sample));
    }
    let metrics = json!(series.round(std::iter::once(&task)));
    assert_eq!(
        metrics[0]["containerMetrics"][0].get("networkStatsSet"),
        None
    );
}

#[test]
fn check_127_restarts_are_those_since_the_last_report() {
    let (mut series, mut task) = (Series::default(), running("a", 'a'));
    let without = metrics(&mut series, &task, &[5, 10]);
    assert_eq!(
        without[0]["containerMetrics"][0].get("restartStatsSet"),
        None
    );
    let definition = Arc::make_mut(&mut task.desired.definition);
    definition.containers[0].restart_policy = Some(RestartPolicy {
        ignored_exit_codes: Vec::new(),
        restart_attempt_period: Duration::from_mins(1),
    });
    for (count, seconds, told) in [(2, 15, 2), (2, 20, 0), (5, 25, 3)] {
        task.known
            .containers
            .get_mut(&sample::name("app"))
            .unwrap()
            .restart_count = count;
        let metrics = metrics(&mut series, &task, &[seconds]);
        assert_eq!(
            metrics[0]["containerMetrics"][0]["restartStatsSet"],
            json!({"restartCount": told})
        );
    }
}

/// A task of one container with a restart policy that was started then and restarted so often.
fn restarting(started: i64, restarts: u32, last: Option<i64>) -> Task {
    let mut task = running("a", 'a');
    let definition = Arc::make_mut(&mut task.desired.definition);
    definition.containers[0].restart_policy = Some(RestartPolicy {
        ignored_exit_codes: Vec::new(),
        restart_attempt_period: Duration::from_mins(1),
    });
    let known = task.known.containers.get_mut(&sample::name("app")).unwrap();
    known.started_at = Some(UnixMillis(started));
    known.restart_count = restarts;
    known.last_restart_at = last.map(UnixMillis);
    task
}

#[test]
fn check_127_restarts_of_before_this_process_are_not_told_again() {
    for (started, last, told) in [
        (999, Some(999), 0),
        (999, None, 0),
        // While the agent was away it ended, and the agent that came back has restarted it.
        (999, Some(1_000), 1),
        (1_000, Some(1_001), 3),
    ] {
        let mut series = Series::since(UnixMillis(1_000));
        let task = restarting(started, 3, last);
        let first = metrics(&mut series, &task, &[5, 10]);
        let later = restarting(started, 5, Some(2_000));
        let second = metrics(&mut series, &later, &[15]);
        for (metrics, told) in [(first, told), (second, 2)] {
            assert_eq!(
                metrics[0]["containerMetrics"][0]["restartStatsSet"],
                json!({"restartCount": told}),
                "{started} {last:?}"
            );
        }
    }
}

#[test]
fn check_127_restarts_are_told_with_the_next_metric_there_is() {
    let mut series = Series::since(UnixMillis(0));
    assert_eq!(
        metrics(&mut series, &restarting(1, 1, None), &[5]),
        json!([])
    );
    let task = restarting(1, 3, None);
    assert_eq!(metrics(&mut series, &task, &[]), json!([]));
    let metrics = metrics(&mut series, &task, &[10]);
    assert_eq!(
        metrics[0]["containerMetrics"][0]["restartStatsSet"],
        json!({"restartCount": 3})
    );
}

#[test]
fn check_127_restarts_of_rounds_that_are_not_told_are_in_the_next_one() {
    let mut series = Series::since(UnixMillis(0));
    let told = |metrics: &Value| metrics[0]["containerMetrics"][0]["restartStatsSet"].clone();
    let first = metrics(&mut series, &restarting(1, 1, None), &[5, 10]);
    assert_eq!(told(&first), json!({"restartCount": 1}));
    for (restarts, second) in [(2, 15), (3, 20)] {
        metrics(&mut series, &restarting(1, restarts, None), &[second]);
        series.forget_round();
    }
    let next = metrics(&mut series, &restarting(1, 3, None), &[25]);
    assert_eq!(told(&next), json!({"restartCount": 2}));
}

#[test]
fn a_container_that_was_read_once_or_has_ended_is_left_out() {
    let (mut series, mut task) = (Series::default(), running("a", 'a'));
    assert_eq!(metrics(&mut series, &task, &[5]), json!([]));
    task.known
        .containers
        .get_mut(&sample::name("app"))
        .unwrap()
        .status = ContainerStatus::Stopped;
    assert_eq!(metrics(&mut series, &task, &[10]), json!([]));
}

fn parsed(frames: &[String]) -> Vec<Value> {
    frames
        .iter()
        .map(|frame| serde_json::from_str(frame).unwrap())
        .collect()
}

#[test]
fn check_120_an_idle_instance_says_so() {
    let frames = parsed(&metrics_requests(&round(), true, Vec::new()));
    let expected = json!({"type": "PublishMetricsRequest", "message": {
        "metadata": {"cluster": "lab", "containerInstance": "arn", "messageId": "id", "idle": true, "fin": true},
        "timestamp": 1_795_453_120.929}});
    assert_eq!(frames, [expected], "check 132 too");
    assert!(
        metrics_requests(&round(), false, Vec::new()).is_empty(),
        "nothing measured is not idle"
    );
}

/// A task that pulls, waits for a dependency or is only made has nothing to be measured; silence would cost the
/// session.
#[test]
fn check_120_an_instance_on_which_nothing_runs_yet_or_any_more_is_idle() {
    for (task_status, status, tracked) in [
        (TaskStatus::Pending, ContainerStatus::None, false),
        (TaskStatus::Pending, ContainerStatus::Pulled, false),
        (TaskStatus::Created, ContainerStatus::Created, false),
        (TaskStatus::Created, ContainerStatus::Running, true),
        (TaskStatus::Running, ContainerStatus::Running, true),
        (TaskStatus::Running, ContainerStatus::Stopped, false),
        (TaskStatus::Stopped, ContainerStatus::Running, false),
    ] {
        let mut task = running("a", 'a');
        task.known.status = task_status;
        let known = task.known.containers.get_mut(&sample::name("app")).unwrap();
        known.status = status;
        assert_eq!(is_tracked(&task), tracked, "{task_status:?} {status:?}");
        let definition = Arc::make_mut(&mut task.desired.definition);
        definition.containers[0].health_check = Some(health_check());
        let told = health_tasks(std::iter::once(&task), UnixMillis(0)).len();
        assert_eq!(told, usize::from(tracked), "check 129");
    }
}

fn health_check() -> HealthCheck {
    HealthCheck {
        command: vec!["CMD".to_owned(), "true".to_owned()],
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        retries: 1,
        start_period: Duration::ZERO,
    }
}

fn many(count: usize, containers: usize) -> Vec<wire::TaskMetric> {
    let mut series = Series::default();
    let task = running("a", 'a');
    for second in [5, 10] {
        series.record(&id('a'), &reading(second));
    }
    let mut one = series.round(std::iter::once(&task)).remove(0);
    let container = one.container_metrics[0].clone();
    one.container_metrics = vec![container; containers];
    vec![one; count]
}

#[test]
fn check_121_and_122_a_round_is_cut_by_tasks_and_bytes() {
    for (tasks, containers, requests) in
        [(1, 1, 1), (10, 1, 1), (11, 1, 2), (25, 1, 3), (10, 200, 4)]
    {
        let frames = metrics_requests(&round(), false, many(tasks, containers));
        assert!(
            frames.iter().all(|frame| frame.len() <= 1024 * 1024),
            "{tasks} {containers}"
        );
        let frames = parsed(&frames);
        assert_eq!(frames.len(), requests, "{tasks} {containers}");
        let told: usize = frames
            .iter()
            .map(|it| it["message"]["taskMetrics"].as_array().unwrap().len())
            .sum();
        assert_eq!(told, tasks);
        let fins: Vec<bool> = frames
            .iter()
            .map(|it| it["message"]["metadata"]["fin"].as_bool().unwrap())
            .collect();
        assert_eq!(
            fins.iter().rposition(|fin| !fin).map_or(0, |at| at + 1),
            requests - 1,
            "only the last"
        );
    }
}

#[test]
fn check_129_health_is_told_of_containers_with_a_check() {
    let mut task = running("a", 'a');
    let now = UnixMillis(2_000);
    assert_eq!(health_tasks(std::iter::once(&task), now), []);
    let definition = Arc::make_mut(&mut task.desired.definition);
    definition.containers[0].health_check = Some(health_check());
    let known = task.known.containers.get_mut(&sample::name("app")).unwrap();
    (known.health, known.health_since) = (Health::Healthy, Some(UnixMillis(1_500)));
    let tasks = health_tasks(std::iter::once(&task), now);
    let frames = parsed(&health_requests(&round(), &vec![tasks[0].clone(); 11]));
    assert_eq!(frames.len(), 2);
    let container = &frames[0]["message"]["tasks"][0]["containers"][0];
    assert_eq!(
        *container,
        json!({"containerName": "app", "healthStatus": "HEALTHY", "statusSince": 1.5})
    );
    assert!(health_requests(&round(), &[]).is_empty());
}

#[test]
fn check_130_and_131_the_container_engine_is_initializing_ok_or_impaired() {
    let mut runtime = RuntimeHealth::new(UnixMillis(1_000));
    let told = |runtime: &RuntimeHealth, status: &str, updated: f64, changed: f64| {
        let frame = status_request(&round(), runtime.status());
        let frame: Value = serde_json::from_str(&frame).unwrap();
        let expected = json!({"type": "ContainerRuntime", "status": status, "lastUpdated": updated, "lastStatusChange": changed});
        assert_eq!(frame["message"]["statuses"], json!([expected]));
    };
    told(&runtime, "INITIALIZING", 1.0, 1.0);
    for (answers, at, news, status, changed) in [
        (true, 2, true, "OK", 2.0),
        (true, 3, false, "OK", 2.0),
        (false, 4, true, "IMPAIRED", 4.0),
        (false, 5, false, "IMPAIRED", 4.0),
        (true, 6, true, "OK", 6.0),
    ] {
        assert_eq!(runtime.looked(answers, UnixMillis(at * 1_000)), news);
        let at = i32::try_from(at).unwrap();
        told(&runtime, status, f64::from(at), changed);
    }
}

#[test]
fn check_133_heartbeats_and_acknowledgements_are_signs_of_life() {
    assert!(is_sign_of_life(
        r#"{"type": "AckPublishMetric", "message": {"message": "ok"}}"#
    ));
    for other in ["", "{}", r#"{"type": "ServerException"}"#] {
        assert!(!is_sign_of_life(other));
    }
}

/// A link whose session is open from now on.
fn open(link: &mut Link, now: Instant, chance: Chance) {
    assert_eq!(link.on(Event::Tick, now, chance), Some(Action::Connect));
    assert_eq!(link.on(Event::Connected, now, chance), None);
}

#[test]
fn check_133_a_silent_session_is_closed_in_order_and_opened_again_at_once() {
    for (chance, millis) in [(Chance::ZERO, 60_000), (Chance::MOST, 119_940)] {
        let began = Instant::now();
        let mut link = Link::new(TCS, began);
        open(&mut link, began, chance);
        let silent = began + Duration::from_millis(millis);
        let all_but = began + Duration::from_millis(millis - 1);
        assert_eq!(link.on(Event::Tick, all_but, chance), None);
        assert_eq!(link.on(Event::Tick, silent, chance), Some(Action::Close));
        // However the peer answers that.
        assert_eq!(link.on(Event::Ended(How::Broken), silent, chance), None);
        open(&mut link, silent, chance);
        let mut now = silent;
        for _ in 0..30 {
            now += Duration::from_secs(50);
            assert_eq!(link.on(Event::Tick, now, chance), None);
            link.on(Event::Heard, now, chance);
        }
    }
}

#[test]
fn check_134_refusals_wait_from_a_second_to_a_minute_until_a_session_is_closed_in_order() {
    for (chance, share) in [(Chance::ZERO, 1.0), (Chance::MOST, 1.2)] {
        let mut now = Instant::now();
        let mut link = Link::new(TCS, now);
        let waits = |link: &Link, now: Instant, seconds: u32| {
            let wait = (link.next().unwrap() - now).as_secs_f64();
            let wanted = f64::from(seconds) * share;
            assert!((wait - wanted).abs() <= wanted * 0.01, "{wait} {wanted}");
        };
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(link.on(Event::Tick, now, chance), Some(Action::Connect));
            link.on(Event::Refused { inactive: false }, now, chance);
            waits(&link, now, seconds);
            now = link.next().unwrap();
        }
        let lived = Duration::from_secs(20);
        for (how, seconds) in [(How::Broken, 60), (How::Normal, 0), (How::Broken, 1)] {
            open(&mut link, now, chance);
            now += lived;
            link.on(Event::Ended(how), now, chance);
            waits(&link, now, seconds);
            now = link.next().unwrap();
        }
    }
}
