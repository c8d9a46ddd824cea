//! What breaks around the agent: lost rows, lost answers, a Docker that restarts, calls that hang.

use std::time::Duration;

use berth::boundary::Clock;
use berth::domain::definition::{RestartPolicy, TaskDefinition};
use berth::domain::names::LABEL_DEFINITION;
use berth::domain::reason::ReasonName;
use berth::domain::runtime::{RunState, VolumeSpec};
use berth::domain::status::TaskStatus;
use berth::domain::volume::{DockerVolume, VolumeScope, VolumeSource};
use berth::testing::sim::{Driver, SERVE, STUBBORN, arn, shell, task};
use berth::testing::world::{Effect, Fault, Operation};

use super::on_paused_time;
use super::tasks::{gone, is, web_and_database};

const EVERY_CALL: [Operation; 9] = [
    Operation::Info,
    Operation::List,
    Operation::Inspect,
    Operation::Create,
    Operation::Start,
    Operation::Stop,
    Operation::Kill,
    Operation::Remove,
    Operation::CreateVolume,
];

async fn all_is_well(driver: Driver) {
    let wrong = driver.finish().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn containers_outlive_the_rows_and_are_taken_over_as_they_are() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.sim.world.add_fault(Fault {
            operation: Operation::Start,
            about: "web".to_owned(),
            times: 1,
            effect: Effect::Fail(berth::boundary::ErrorKind::LogDriver),
        });
        driver.put(&arn(1), web_and_database()).await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        let before = driver.sim.world.containers();
        driver.sim.crash().await;
        driver.sim.lose_rows();
        // The registry does not answer either: nothing that runs may depend on it.
        driver.sim.world.add_fault(Fault {
            operation: Operation::Pull,
            about: String::new(),
            times: u32::MAX,
            effect: Effect::Fail(berth::boundary::ErrorKind::Denied),
        });
        driver.sim.start();
        driver
            .until("RUNNING again", is(&arn(1), TaskStatus::Running))
            .await;
        driver.pass(Duration::from_mins(1)).await;
        let same = |containers: Vec<berth::testing::world::Container>| {
            let shown = containers.into_iter().map(|c| (c.id, c.state, c.starts));
            shown.collect::<Vec<_>>()
        };
        assert_eq!(same(driver.sim.world.containers()), same(before));
        driver.remove(&arn(1)).await;
        driver.until("removal", gone(&arn(1))).await;
        assert!(driver.sim.world.containers().is_empty());
        assert!(driver.sim.world.volumes().is_empty());
        all_is_well(driver).await;
    });
}

/// Its volume is shared, and made where it is missing.
fn with_shared_volume() -> TaskDefinition {
    let mut definition = web_and_database();
    definition.volumes[0].source = VolumeSource::Docker(DockerVolume {
        scope: VolumeScope::Shared {
            autoprovision: true,
        },
        driver: None,
        driver_opts: [].into(),
        labels: [].into(),
    });
    definition
}

/// Method: the volume appears between the look for it and its creation, which Docker then refuses.
#[test]
fn a_shared_volume_that_somebody_makes_at_the_same_time_is_used() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.sim.world.add_fault(Fault {
            operation: Operation::CreateVolume,
            about: String::new(),
            times: 1,
            effect: Effect::Delay(Duration::from_secs(2)),
        });
        driver.put(&arn(1), with_shared_volume()).await;
        while driver.sim.world.calls(Operation::CreateVolume) == 0 {
            driver.pass(Duration::from_millis(100)).await;
        }
        driver.sim.world.make_volume_from_outside(VolumeSpec {
            name: "data".to_owned(),
            driver: Some("nfs".to_owned()),
            driver_opts: [].into(),
            labels: [].into(),
        });
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        driver.remove(&arn(1)).await;
        driver.until("removal", gone(&arn(1))).await;
        assert_eq!(driver.wrong, [""; 0]);
        driver.sim.stop_agent().await;
    });
}

/// Docker would refuse to make it.
#[test]
fn a_shared_volume_that_another_driver_has_made_is_used() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        let made = VolumeSpec {
            name: "data".to_owned(),
            driver: Some("nfs".to_owned()),
            driver_opts: [].into(),
            labels: [].into(),
        };
        driver.sim.world.make_volume_from_outside(made);
        driver.put(&arn(1), with_shared_volume()).await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        driver.remove(&arn(1)).await;
        driver.until("removal", gone(&arn(1))).await;
        assert_eq!(driver.sim.world.volumes(), ["data"], "it is not the task's");
        assert_eq!(driver.wrong, [""; 0]);
        driver.sim.stop_agent().await;
    });
}

/// Its definition is on the container that starts first, and nowhere else.
#[test]
fn a_task_with_a_long_definition_is_rebuilt_from_the_one_container_that_carries_it() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        let mut definition = web_and_database();
        let long = ("LONG".to_owned(), "x".repeat(200 * 1024));
        definition.containers[0].environment = [long].into();
        driver.put(&arn(1), definition).await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        let before = driver.sim.world.containers();
        let carriers = before
            .iter()
            .filter(|c| c.spec.labels.contains_key(LABEL_DEFINITION));
        let carriers: Vec<&str> = carriers.map(|c| c.name.as_str()).collect();
        assert_eq!(carriers, ["db"]);
        driver.sim.crash().await;
        driver.sim.lose_rows();
        driver.sim.start();
        driver
            .until("RUNNING again", is(&arn(1), TaskStatus::Running))
            .await;
        driver.pass(Duration::from_mins(1)).await;
        let starts = |containers: Vec<berth::testing::world::Container>| {
            let shown = containers.into_iter().map(|c| (c.id, c.starts));
            shown.collect::<Vec<_>>()
        };
        assert_eq!(starts(driver.sim.world.containers()), starts(before));
        driver.remove(&arn(1)).await;
        driver.until("removal", gone(&arn(1))).await;
        assert!(driver.sim.world.containers().is_empty());
        all_is_well(driver).await;
    });
}

/// Method: a run for each commit of the scenario, in which that commit is done and answered by an error.
#[test]
fn a_commit_that_was_durable_and_said_it_was_not_changes_nothing() {
    let commits = (1..100).take_while(|&nth| {
        let (wrong, reached) = on_paused_time(async {
            let mut driver = Driver::new(None);
            driver.sim.gate.lose_answer(nth);
            driver.put(&arn(1), web_and_database()).await;
            let running = is(&arn(1), TaskStatus::Running);
            driver.until("RUNNING", running).await;
            let app = shell("app", "image", "sleep 5; exit 7");
            driver.put(&arn(2), task(vec![app])).await;
            let stopped = is(&arn(2), TaskStatus::Stopped);
            driver.until("STOPPED", stopped).await;
            driver.stop(&arn(1)).await;
            let stopped = is(&arn(1), TaskStatus::Stopped);
            driver.until("STOPPED", stopped).await;
            driver.remove(&arn(1)).await;
            driver.until("removal", gone(&arn(1))).await;
            let reached = !driver.sim.gate.answer_is_to_be_lost();
            (driver.finish().await, reached)
        });
        assert!(wrong.is_empty(), "commit {nth}: {wrong:#?}");
        reached
    });
    assert!((10..99).contains(&commits.count()));
}

#[test]
fn a_docker_that_restarts_and_keeps_its_containers_changes_nothing() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.put(&arn(1), web_and_database()).await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        driver.sim.world.set_down(true);
        driver.pass(Duration::from_mins(2)).await;
        driver.sim.world.set_down(false);
        driver.pass(Duration::from_secs(10)).await;
        assert!(driver.sim.world.ends().is_empty());
        assert_eq!(driver.sim.status(&arn(1)), Some(TaskStatus::Running));
        all_is_well(driver).await;
    });
}

#[test]
fn a_docker_that_takes_its_containers_down_ends_their_tasks_with_the_codes_it_saw() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.put(&arn(1), web_and_database()).await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        driver.sim.world.set_down(true);
        for container in driver.sim.world.containers() {
            driver.sim.world.end_process(&container.id, 137, false);
        }
        driver.pass(Duration::from_secs(30)).await;
        driver.sim.world.set_down(false);
        driver
            .until("STOPPED", is(&arn(1), TaskStatus::Stopped))
            .await;
        all_is_well(driver).await;
    });
}

#[test]
fn one_container_whose_calls_hang_holds_up_nothing_but_itself() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        for operation in EVERY_CALL {
            driver.sim.world.add_fault(Fault {
                operation,
                about: "wedged".to_owned(),
                times: u32::MAX,
                effect: Effect::Hang(Duration::from_mins(3)),
            });
        }
        driver
            .put(&arn(1), task(vec![shell("wedged", "image", SERVE)]))
            .await;
        driver.pass(Duration::from_secs(1)).await;
        let begin = driver.sim.clock.now();
        for n in 2..=30 {
            driver
                .put(&arn(n), task(vec![shell("app", "image", SERVE)]))
                .await;
        }
        for n in 2..=30 {
            driver
                .until("RUNNING", is(&arn(n), TaskStatus::Running))
                .await;
        }
        for n in 2..=30 {
            driver.stop(&arn(n)).await;
        }
        for n in 2..=30 {
            driver
                .until("STOPPED", is(&arn(n), TaskStatus::Stopped))
                .await;
        }
        let took = driver.sim.clock.now().since(begin);
        assert!(took < Duration::from_secs(5), "{took:?}");
        let snapshot = driver.sim.snapshot();
        assert!(!snapshot.tasks[&arn(1)].task.known.conditions.is_empty());
        driver.sim.world.heal();
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        all_is_well(driver).await;
    });
}

#[test]
fn a_docker_whose_every_call_hangs_for_a_while_costs_time_and_nothing_else() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.put(&arn(1), web_and_database()).await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        for operation in EVERY_CALL {
            driver.sim.world.add_fault(Fault {
                operation,
                about: String::new(),
                times: u32::MAX,
                effect: Effect::Hang(Duration::from_mins(1)),
            });
        }
        driver.put(&arn(2), web_and_database()).await;
        driver.pass(Duration::from_mins(1)).await;
        driver.sim.world.heal();
        driver
            .until("RUNNING", is(&arn(2), TaskStatus::Running))
            .await;
        assert_eq!(driver.sim.status(&arn(1)), Some(TaskStatus::Running));
        assert!(driver.sim.world.ends().is_empty());
        all_is_well(driver).await;
    });
}

/// Ids, states and numbers of starts of all containers.
fn shown(driver: &Driver) -> Vec<(String, RunState, u32)> {
    let containers = driver.sim.world.containers().into_iter();
    containers
        .map(|found| (found.id.to_string(), found.state, found.starts))
        .collect()
}

#[test]
fn containers_that_somebody_renames_stay_their_tasks() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.put(&arn(1), web_and_database()).await;
        let running = is(&arn(1), TaskStatus::Running);
        driver.until("RUNNING", &running).await;
        let before = shown(&driver);
        for (n, container) in driver.sim.world.containers().into_iter().enumerate() {
            let to = format!("renamed-{n}");
            driver.sim.world.rename_from_outside(&container.id, &to);
        }
        driver.pass(Duration::from_secs(30)).await;
        driver.sim.crash().await;
        driver.sim.start();
        driver.until("RUNNING after a restart", &running).await;
        driver.sim.crash().await;
        driver.sim.lose_rows();
        driver.sim.start();
        driver.until("RUNNING without rows", &running).await;
        driver.pass(Duration::from_secs(30)).await;
        assert_eq!(shown(&driver), before);
        driver.remove(&arn(1)).await;
        driver.until("removal", gone(&arn(1))).await;
        assert!(driver.sim.world.containers().is_empty());
        all_is_well(driver).await;
    });
}

#[test]
fn a_stray_whose_calls_hang_delays_nobody() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        for (n, name) in [(1, "wedged"), (2, "well")] {
            let definition = task(vec![shell(name, "image", SERVE)]);
            driver.put(&arn(n), definition).await;
            driver
                .until("RUNNING", is(&arn(n), TaskStatus::Running))
                .await;
        }
        driver.sim.crash().await;
        driver.sim.lose_rows();
        driver.sim.world.add_fault(Fault {
            operation: Operation::Inspect,
            about: "wedged".to_owned(),
            times: u32::MAX,
            effect: Effect::Hang(Duration::from_secs(30)),
        });
        let begin = driver.sim.clock.now();
        driver.sim.start();
        driver
            .put(&arn(3), task(vec![shell("new", "image", SERVE)]))
            .await;
        for n in [2, 3] {
            driver
                .until("RUNNING", is(&arn(n), TaskStatus::Running))
                .await;
        }
        let took = driver.sim.clock.now().since(begin);
        assert!(took < Duration::from_secs(3), "{took:?}");
        driver.sim.world.heal();
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        all_is_well(driver).await;
    });
}

/// ADR 0004: the wish to stop is in no label.
#[test]
fn a_stop_that_is_lost_with_the_rows_starts_nothing_and_stops_nothing() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        let mut app = shell("app", "image", SERVE);
        app.restart_policy = Some(RestartPolicy {
            ignored_exit_codes: Vec::new(),
            restart_attempt_period: Duration::ZERO,
        });
        driver.put(&arn(1), task(vec![app])).await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        driver.stop(&arn(1)).await;
        driver
            .until("STOPPED", is(&arn(1), TaskStatus::Stopped))
            .await;
        let mut slow = shell("slow", "image", STUBBORN);
        slow.stop_timeout = Some(Duration::from_mins(1));
        driver.put(&arn(2), task(vec![slow])).await;
        driver
            .until("RUNNING", is(&arn(2), TaskStatus::Running))
            .await;
        // Asked to stop, and Docker has not heard of it when the agent dies: it runs on.
        driver.sim.world.add_fault(Fault {
            operation: Operation::Stop,
            about: "slow".to_owned(),
            times: 1,
            effect: Effect::Hang(Duration::from_mins(1)),
        });
        driver.stop(&arn(2)).await;
        driver.pass(Duration::from_secs(1)).await;
        driver.sim.crash().await;
        driver.sim.lose_rows();
        let before = shown(&driver);
        driver.sim.start();
        driver
            .until("STOPPED", is(&arn(1), TaskStatus::Stopped))
            .await;
        driver
            .until("RUNNING", is(&arn(2), TaskStatus::Running))
            .await;
        driver.pass(Duration::from_mins(5)).await;
        assert_eq!(shown(&driver), before);
        let known = &driver.sim.snapshot().tasks[&arn(1)].task.known;
        let why = known.stop.as_ref().map(|stop| stop.reason.name);
        assert_eq!(why, Some(ReasonName::StateError));
        driver.stop(&arn(2)).await;
        driver
            .until("STOPPED", is(&arn(2), TaskStatus::Stopped))
            .await;
        all_is_well(driver).await;
    });
}

#[test]
fn a_task_that_was_just_rebuilt_is_in_the_rows_when_the_agent_ends() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.put(&arn(1), web_and_database()).await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        driver.sim.crash().await;
        driver.sim.lose_rows();
        driver.sim.store.fail_next(1);
        driver.sim.start();
        driver.pass(Duration::from_millis(100)).await;
        assert!(driver.sim.store.tasks().is_empty());
        driver.sim.stop_agent().await;
        assert_eq!(driver.sim.store.tasks().len(), 1);
    });
}

#[test]
fn tasks_that_fail_at_once_are_not_tried_again_at_once() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.sim.world.add_fault(Fault {
            operation: Operation::Create,
            about: String::new(),
            times: 50,
            effect: Effect::Fail(berth::boundary::ErrorKind::Transient),
        });
        for n in 1..=50 {
            let definition = task(vec![shell("app", "image", SERVE)]);
            driver.put(&arn(n), definition).await;
        }
        driver.pass(Duration::from_millis(100)).await;
        let snapshot = driver.sim.snapshot();
        let known = snapshot.tasks.values().map(|view| &view.task.known);
        let retries = known.flat_map(|known| known.containers.values());
        let instants: Vec<_> = retries
            .filter_map(|known| Some(known.retry.as_ref()?.not_before))
            .collect();
        assert_eq!(instants.len(), 50);
        let distinct: std::collections::BTreeSet<_> = instants.into_iter().collect();
        assert!(distinct.len() > 25, "{distinct:?}");
        for n in 1..=50 {
            let running = is(&arn(n), TaskStatus::Running);
            driver.until("RUNNING", running).await;
        }
        all_is_well(driver).await;
    });
}
