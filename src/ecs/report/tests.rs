//! What is submitted, by the checks of the specification.

use std::time::{Duration, Instant};

use super::bindings::Excluded;
use super::change::TaskChange;
use super::lanes::{Lanes, MAX_AT_ONCE, Urgency};
use super::plan::{Due, due, is_outstanding};
use super::{NetworkBinding, PortsReported, change};
use crate::domain::definition::NetworkMode;
use crate::domain::ids::{ContainerName, DockerId, UnixMillis};
use crate::domain::port_mapping::{ContainerPorts, PortBinding, Protocol};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::sample;
use crate::domain::status::{ContainerStatus, TaskStatus};
use crate::domain::task::{Exit, KnownContainer, Origin, Reported, StopCause, Task};
use crate::ecs::link::Chance;

const USUAL: Excluded = Excluded {
    ipv6: true,
    ipv4: false,
};

/// A task of the control plane whose containers are so far.
fn task(status: TaskStatus, containers: &[(&str, ContainerStatus)]) -> Task {
    let names: Vec<&str> = containers.iter().map(|(name, _)| *name).collect();
    let mut task = sample::task(sample::definition(&names));
    task.desired.origin = Origin::Ecs;
    task.known.status = status;
    for (name, status) in containers {
        let known = KnownContainer {
            status: *status,
            docker_id: DockerId::parse(&"a".repeat(64)).ok(),
            exit: (*status == ContainerStatus::Stopped).then_some(Exit {
                code: Some(3),
                at: UnixMillis(5_000),
                oom_killed: false,
            }),
            ..KnownContainer::default()
        };
        task.known.containers.insert(sample::name(name), known);
    }
    task
}

fn look(task: &Task) -> Due {
    let due = due(task, &task.known.reported, USUAL);
    assert_eq!(is_outstanding(task), due != Due::Nothing, "counted as such");
    due
}

fn now(task: &Task) -> (TaskChange, Reported) {
    match look(task) {
        Due::Now(change, reported) => (change, reported),
        other @ (Due::Nothing | Due::Later(..) | Due::Stuck(_)) => panic!("{other:?}"),
    }
}

fn statuses(change: &TaskChange) -> Vec<(&str, &str)> {
    change
        .containers
        .iter()
        .map(|it| (it.name.as_str(), it.status))
        .collect()
}

use ContainerStatus::{Created, Pulled, Running, Stopped};

#[test]
fn check_098_a_running_task_is_reported_with_its_containers() {
    let mut task = task(TaskStatus::Running, &[("app", Running), ("init", Stopped)]);
    task.known.pull_started_at = Some(UnixMillis(1_500));
    task.known.pull_stopped_at = Some(UnixMillis(2_500));
    let (change, reported) = now(&task);
    assert_eq!((change.status, change.reason.as_str()), ("RUNNING", ""));
    assert_eq!(statuses(&change), [("app", "RUNNING"), ("init", "STOPPED")]);
    let app = &change.containers[0];
    assert_eq!(app.runtime_id.as_deref(), Some("a".repeat(64).as_str()));
    assert_eq!(
        (app.exit_code, change.containers[1].exit_code),
        (None, Some(3))
    );
    assert_eq!(change.pull_started_at, Some(UnixMillis(1_500)), "check 109");
    task.known.reported = reported;
    assert_eq!(look(&task), Due::Nothing, "check 104");
}

#[test]
fn check_099_a_stopped_task_is_reported_with_exit_codes() {
    let mut task = task(TaskStatus::Stopped, &[("app", Stopped)]);
    task.known.execution_stopped_at = Some(UnixMillis(5_000));
    task.known.stop = Some(StopCause {
        reason: Reason::new(ReasonName::EssentialContainerExited, "app"),
        at: UnixMillis(5_000),
    });
    let (change, reported) = now(&task);
    assert_eq!(
        (change.status, change.reason.as_str()),
        ("STOPPED", ""),
        "ECS words it itself"
    );
    assert_eq!(statuses(&change), [("app", "STOPPED")]);
    assert_eq!(change.containers[0].exit_code, Some(3));
    assert_eq!(change.execution_stopped_at, Some(UnixMillis(5_000)));
    task.known.reported = reported;
    assert_eq!(look(&task), Due::Nothing);
}

/// As people know them from Windows: Ctrl-C, an access violation.
#[test]
fn check_099_codes_of_windows_keep_their_bits() {
    for (code, told) in [
        (0, 0),
        (137, 137),
        (-1, -1),
        (i64::from(i32::MAX), i32::MAX),
        (0xC000_013A, -1_073_741_510),
        (0xC000_0005, -1_073_741_819),
        (0xFFFF_FFFF, -1),
    ] {
        let mut task = task(TaskStatus::Stopped, &[("app", Stopped)]);
        let app = task.known.containers.get_mut(&sample::name("app")).unwrap();
        app.exit.as_mut().unwrap().code = Some(code);
        let (change, _) = now(&task);
        assert_eq!(change.containers[0].exit_code, Some(told), "{code:#x}");
    }
}

#[test]
fn a_stop_that_is_no_containers_own_says_why() {
    let mut task = task(TaskStatus::Stopped, &[("app", Stopped)]);
    let reason = Reason::new(ReasonName::ResourceInitializationError, "no room");
    task.known.stop = Some(StopCause {
        reason: reason.clone(),
        at: UnixMillis(5_000),
    });
    assert_eq!(now(&task).0.reason, "ResourceInitializationError: no room");
    let own = Reason::new(ReasonName::CannotStartContainerError, "no such file");
    task.known.stop.as_mut().unwrap().reason = own.clone();
    task.known
        .containers
        .get_mut(&sample::name("app"))
        .unwrap()
        .reason = Some(own);
    let (change, _) = now(&task);
    assert_eq!(change.reason, "", "the container says it");
    let said = change.containers[0].reason.as_deref();
    assert_eq!(said, Some("CannotStartContainerError: no such file"));
}

#[test]
fn a_stop_that_ecs_did_not_ask_for_says_so() {
    let mut task = task(TaskStatus::Stopped, &[("app", Stopped)]);
    let asked = |name| Some(Reason::new(name, "words"));
    task.desired.stop_reason = asked(ReasonName::HostShutdown);
    assert_eq!(now(&task).0.reason, "HostShutdown: words");
    task.desired.stop_reason = asked(ReasonName::UserInitiated);
    assert_eq!(now(&task).0.reason, "");
}

#[test]
fn check_100_news_of_containers_alone_can_wait() {
    let mut task = task(TaskStatus::Running, &[("app", Running), ("side", Running)]);
    task.known.reported = now(&task).1;
    task.known
        .containers
        .get_mut(&sample::name("side"))
        .unwrap()
        .status = Stopped;
    let Due::Later(change, reported) = look(&task) else {
        panic!("{:?}", look(&task));
    };
    assert_eq!(
        (change.status, statuses(&change)),
        ("RUNNING", vec![("side", "STOPPED")])
    );
    task.known.reported = reported;
    assert_eq!(look(&task), Due::Nothing);
    // A container that runs before its task does.
    let starting = task_of_two();
    assert!(matches!(look(&starting), Due::Later(change, _) if change.status == "PENDING"));
}

#[test]
fn check_098_a_container_that_ran_before_its_task_is_told_with_it() {
    let mut task = task_of_two();
    task.known.reported.status = None;
    assert!(matches!(look(&task), Due::Later(..)));
    task.known.status = TaskStatus::Running;
    task.known
        .containers
        .get_mut(&sample::name("side"))
        .unwrap()
        .status = Running;
    let (change, _) = now(&task);
    assert_eq!(
        (change.status, statuses(&change)),
        ("RUNNING", vec![("app", "RUNNING"), ("side", "RUNNING")])
    );
}

fn task_of_two() -> Task {
    let mut task = task(TaskStatus::Created, &[("app", Running), ("side", Created)]);
    task.known.reported.status = Some(TaskStatus::Pending);
    task
}

#[test]
fn check_101_nothing_follows_stopped() {
    let mut task = task(TaskStatus::Stopped, &[("app", Stopped), ("side", Running)]);
    task.known.reported.status = Some(TaskStatus::Stopped);
    assert_eq!(look(&task), Due::Nothing);
}

#[test]
fn check_105_what_was_not_acknowledged_is_told_whatever_was_passed_over() {
    let mut task = task(TaskStatus::Stopped, &[("app", Stopped)]);
    task.known.reported.status = Some(TaskStatus::Pending);
    assert_eq!(now(&task).0.status, "STOPPED");
}

#[test]
fn check_108_texts_are_cut_between_characters() {
    let long = "ä".repeat(2_000);
    assert_eq!(change::reason(&long).len(), 1_024);
    assert_eq!(change::reason(&format!("x{long}")).len(), 1_023);
    assert_eq!(change::id(&long).len(), 254);
    assert_eq!(change::reason("short"), "short");
}

#[test]
fn check_110_a_digest_is_told_before_the_container_runs() {
    let mut task = task(TaskStatus::Pending, &[("app", Pulled), ("side", Pulled)]);
    let app = task.known.containers.get_mut(&sample::name("app")).unwrap();
    app.image_digest = Some("sha256:1".to_owned());
    let (change, reported) = now(&task);
    assert_eq!(
        (change.status, statuses(&change)),
        ("PENDING", vec![("app", "PENDING")])
    );
    assert_eq!(
        change.containers[0].image_digest.as_deref(),
        Some("sha256:1")
    );
    task.known.reported = reported;
    assert_eq!(look(&task), Due::Nothing);
}

#[test]
fn a_task_without_news_is_not_told() {
    assert_eq!(
        look(&task(TaskStatus::Pending, &[("app", Created)])),
        Due::Nothing
    );
}

#[test]
fn check_111_containers_and_tasks_of_the_agents_own_are_never_reported() {
    let mut task = task(TaskStatus::Running, &[("app", Running)]);
    let pause = task.known.containers.values().next().unwrap().clone();
    task.known
        .containers
        .insert(ContainerName::network_pause(), pause);
    assert_eq!(statuses(&now(&task).0), [("app", "RUNNING")]);
    for origin in [
        Origin::Api,
        Origin::File("f".to_owned()),
        Origin::Run,
        Origin::Adopted,
    ] {
        task.desired.origin = origin;
        assert_eq!(look(&task), Due::Nothing);
    }
}

fn binding(ip: &str, container_port: u16, host_port: u16) -> PortBinding {
    PortBinding {
        container_port,
        protocol: Protocol::Tcp,
        bind_ip: ip.to_owned(),
        host_port,
    }
}

fn published(mappings: &[ContainerPorts], bindings: Vec<PortBinding>) -> Task {
    let mut task = task(TaskStatus::Running, &[("app", Running)]);
    let definition = std::sync::Arc::make_mut(&mut task.desired.definition);
    definition.containers[0].port_mappings = mappings
        .iter()
        .map(|ports| {
            let mut mapping = sample::port(1, None);
            mapping.container = *ports;
            mapping
        })
        .collect();
    task.known
        .containers
        .get_mut(&sample::name("app"))
        .unwrap()
        .bindings = bindings;
    task
}

fn shown(ip: &str, ports: PortsReported) -> NetworkBinding {
    NetworkBinding {
        bind_ip: ip.to_owned(),
        ports,
        protocol: "tcp",
    }
}

#[test]
fn check_112_and_113_ports_and_ranges_are_reported_without_ipv6() {
    let mappings = [
        ContainerPorts::Single(80),
        ContainerPorts::Range {
            first: 9_000,
            last: 9_002,
        },
    ];
    let each = |ip: &str| {
        let range = (0..3).map(|n| binding(ip, 9_000 + n, 32_770 + n));
        std::iter::once(binding(ip, 80, 18_081))
            .chain(range)
            .collect::<Vec<_>>()
    };
    let bindings = [each("0.0.0.0"), each("::")].concat();
    let mut task = published(&mappings, bindings);
    let range = PortsReported::Range("9000-9002".to_owned(), "32770-32772".to_owned());
    let expected = |ip: &str| {
        [
            shown(ip, PortsReported::One(80, 18_081)),
            shown(ip, range.clone()),
        ]
    };
    assert_eq!(
        now(&task).0.containers[0].network_bindings,
        expected("0.0.0.0")
    );
    let only_ipv6 = Excluded {
        ipv6: false,
        ipv4: true,
    };
    let Due::Now(change, _) = due(&task, &Reported::default(), only_ipv6) else {
        panic!("news");
    };
    assert_eq!(change.containers[0].network_bindings, expected("::"));
    let definition = std::sync::Arc::make_mut(&mut task.desired.definition);
    definition.network_mode = NetworkMode::Host;
    assert_eq!(now(&task).0.containers[0].network_bindings, []);
}

#[test]
fn check_114_more_than_100_bindings_beside_a_range_cannot_be_told() {
    let range = ContainerPorts::Range {
        first: 9_000,
        last: 9_001,
    };
    let many = (0..101)
        .map(|n| binding("0.0.0.0", 100 + n, 20_000 + n))
        .collect::<Vec<_>>();
    let task = published(&[range], many.clone());
    assert_eq!(look(&task), Due::Stuck(sample::name("app")));
    let mut ended = task;
    ended.known.status = TaskStatus::Stopped;
    let app = ended.known.containers.get_mut(&sample::name("app"));
    app.unwrap().status = Stopped;
    let (change, _) = now(&ended);
    assert_eq!(change.status, "STOPPED", "its end is told all the same");
    assert_eq!(change.containers[0].network_bindings, []);
    assert_eq!(
        now(&published(&[], many)).0.containers[0]
            .network_bindings
            .len(),
        101
    );
}

/// ECS refuses a change for good: what was sent counts as told, and nothing that has happened since.
#[test]
fn check_106_what_is_given_up_is_what_was_sent() {
    let mut task = task(TaskStatus::Running, &[("app", Running), ("side", Running)]);
    let (_, sent) = now(&task);
    let side = task.known.containers.get_mut(&sample::name("side"));
    side.unwrap().status = Stopped;
    task.known.reported = sent;
    let Due::Later(change, _) = look(&task) else {
        panic!("{:?}", look(&task));
    };
    assert_eq!(statuses(&change), [("side", "STOPPED")]);
    task.known.status = TaskStatus::Stopped;
    assert_eq!(now(&task).0.status, "STOPPED");
}

#[test]
fn check_102_a_task_has_one_submission_at_a_time() {
    let (mut lanes, at) = (Lanes::default(), Instant::now());
    let task = sample::arn("a");
    assert!(lanes.begin(&task, Urgency::Task, at, Chance::ZERO));
    assert!(!lanes.begin(&task, Urgency::Task, at, Chance::ZERO));
    lanes.taken(&task);
    assert!(lanes.begin(&task, Urgency::Task, at, Chance::ZERO));
}

#[test]
fn check_103_ten_tasks_submit_at_once() {
    let (mut lanes, at) = (Lanes::default(), Instant::now());
    let tasks: Vec<_> = (0..20).map(|n| sample::arn(&format!("t{n}"))).collect();
    let begun = tasks
        .iter()
        .filter(|task| lanes.begin(task, Urgency::Task, at, Chance::ZERO));
    assert_eq!(begun.count(), MAX_AT_ONCE);
    assert_eq!(lanes.next(), None, "one that ends is news");
    lanes.taken(&tasks[0]);
    assert!(lanes.begin(&tasks[15], Urgency::Task, at, Chance::ZERO));
}

/// A refusal for the number of calls concerns every task: fewer at once, with pauses, until one is taken.
#[test]
fn calls_that_are_too_many_become_fewer_for_all_tasks() {
    let (mut lanes, mut at) = (Lanes::default(), Instant::now());
    let tasks: Vec<_> = (0..20).map(|n| sample::arn(&format!("t{n}"))).collect();
    let mut counts = Vec::new();
    for _ in 0..6 {
        let begun: Vec<_> = tasks
            .iter()
            .filter(|task| lanes.begin(task, Urgency::Task, at, Chance::ZERO))
            .collect();
        counts.push(begun.len());
        for task in begun {
            let wait = lanes.throttled(task, at, Chance::ZERO);
            assert!((1..=5).contains(&wait.as_secs()), "{wait:?}");
        }
        assert!(!lanes.begin(&tasks[0], Urgency::Task, at, Chance::ZERO));
        at = lanes.next().unwrap();
    }
    assert_eq!(counts, [10, 5, 2, 1, 1, 1]);
    assert!(lanes.begin(&tasks[7], Urgency::Task, at, Chance::ZERO));
    lanes.taken(&tasks[7]);
    let begun = tasks
        .iter()
        .filter(|task| lanes.begin(task, Urgency::Task, at, Chance::ZERO));
    assert_eq!(begun.count(), 2, "one more with each that is taken");
}

#[test]
fn check_107_failures_wait_longer_each_time_up_to_half_a_minute() {
    let (mut lanes, mut at) = (Lanes::default(), Instant::now());
    let (task, other) = (sample::arn("a"), sample::arn("b"));
    let mut expected: f64 = 1.0;
    for _ in 0..100 {
        assert!(lanes.begin(&task, Urgency::Task, at, Chance::ZERO));
        let wait = lanes.failed(&task, at, Chance::MOST);
        let wanted = expected.min(30.0) * 1.2;
        assert!(
            (wait.as_secs_f64() - wanted).abs() < wanted * 0.01,
            "{wait:?} {wanted}"
        );
        assert!(!lanes.begin(
            &task,
            Urgency::Task,
            at + wait.saturating_sub(Duration::from_millis(1)),
            Chance::ZERO
        ));
        assert!(
            lanes.begin(&other, Urgency::Task, at, Chance::ZERO),
            "no other task waits"
        );
        lanes.taken(&other);
        assert_eq!(lanes.next(), Some(at + wait));
        at += wait;
        expected *= 1.3;
    }
}

#[test]
fn check_100_containers_wait_10_to_30_seconds() {
    for (chance, seconds) in [(Chance::ZERO, 10.0), (Chance::MOST, 29.98)] {
        let (mut lanes, at) = (Lanes::default(), Instant::now());
        let task = sample::arn("a");
        assert!(!lanes.begin(&task, Urgency::Containers, at, chance));
        let due = lanes.next().unwrap();
        assert!((due - at).as_secs_f64() >= seconds);
        assert!(!lanes.begin(
            &task,
            Urgency::Containers,
            due.checked_sub(Duration::from_millis(1)).unwrap(),
            chance
        ));
        assert!(lanes.begin(&task, Urgency::Containers, due, chance));
    }
}
