//! A crash at every call that has an effect: each scenario is run once for each of its calls, with the agent dying
//! before it, after it, or while Docker goes on with it; the next agent must bring everything to the same end.

use std::time::Duration;

use berth::boundary::ErrorKind;
use berth::domain::definition::RestartPolicy;
use berth::domain::ids::{ContainerName, TaskArn};
use berth::domain::port_mapping::{ContainerPorts, PortMapping, Protocol};
use berth::domain::status::TaskStatus;
use berth::reconcile::snapshot::Snapshot;
use berth::testing::sim::{CrashAt, Driver, SERVE, arn, shell, task};
use berth::testing::world::{Effect, Fault, Operation};

use super::on_paused_time;
use super::tasks::{gone, is, web_and_database};

/// More calls than any scenario makes: that the end is reached is checked.
const MOST_CALLS: u64 = 200;

/// Runs the scenario with a crash at each of its calls.
fn crash_everywhere<F: AsyncFn(&mut Driver)>(scenario: &F) {
    for at in [CrashAt::Before, CrashAt::After, CrashAt::Late] {
        let crashes = (1..=MOST_CALLS).take_while(|&nth| {
            let (wrong, crashed) = on_paused_time(async {
                let mut driver = Driver::new(Some((nth, at)));
                scenario(&mut driver).await;
                let crashed = driver.crashes.clone();
                (driver.finish().await, crashed)
            });
            assert!(
                wrong.is_empty(),
                "crash {at:?} call {nth} ({crashed:?}): {wrong:#?}"
            );
            !crashed.is_empty()
        });
        let crashes = u64::try_from(crashes.count()).unwrap();
        assert!((1..MOST_CALLS).contains(&crashes), "{crashes} crashes");
    }
}

/// Removes the task and looks that nothing of it is left on the host.
async fn remove_all(driver: &mut Driver, arn: &TaskArn) {
    driver.remove(arn).await;
    driver.until("removal", gone(arn)).await;
    driver.pass(Duration::from_secs(10)).await;
    let left = [
        ("containers", driver.sim.world.containers().len()),
        ("volumes", driver.sim.world.volumes().len()),
        ("cgroups", driver.sim.host.cgroups().len()),
        ("rows", driver.sim.store.tasks().len()),
    ];
    let left = left.into_iter().filter(|(_, count)| *count > 0);
    let left = left.map(|(what, count)| format!("{count} {what} left"));
    driver.wrong.extend(left);
}

#[test]
fn a_task_that_is_run_stopped_and_removed() {
    crash_everywhere(&async |driver: &mut Driver| {
        let arn = arn(1);
        driver.put(&arn, web_and_database()).await;
        driver.until("RUNNING", is(&arn, TaskStatus::Running)).await;
        driver.stop(&arn).await;
        driver.until("STOPPED", is(&arn, TaskStatus::Stopped)).await;
        remove_all(driver, &arn).await;
    });
}

#[test]
fn a_task_that_is_stopped_while_it_starts() {
    crash_everywhere(&async |driver: &mut Driver| {
        let arn = arn(1);
        driver.put(&arn, web_and_database()).await;
        driver.pass(Duration::from_millis(3)).await;
        driver.stop(&arn).await;
        driver.until("STOPPED", is(&arn, TaskStatus::Stopped)).await;
        remove_all(driver, &arn).await;
    });
}

#[test]
fn a_task_that_is_stopped_as_soon_as_the_next_agent_is_there() {
    crash_everywhere(&async |driver: &mut Driver| {
        let arn = arn(1);
        driver.put(&arn, web_and_database()).await;
        driver.pass(Duration::from_secs(1)).await;
        driver.stop(&arn).await;
        driver.until("STOPPED", is(&arn, TaskStatus::Stopped)).await;
        driver.settle().await;
        remove_all(driver, &arn).await;
    });
}

#[test]
fn an_essential_container_that_ends() {
    crash_everywhere(&async |driver: &mut Driver| {
        let arn = arn(1);
        let app = shell("app", "image", "sleep 3; exit 7");
        let definition = task(vec![app, shell("side", "image", SERVE)]);
        driver.put(&arn, definition).await;
        driver.until("STOPPED", is(&arn, TaskStatus::Stopped)).await;
        let tasks = driver.sim.store.tasks();
        let known = &tasks[0].known.containers;
        let code = |name: &str| {
            let exit = known[&ContainerName::parse(name).unwrap()].exit.clone();
            exit.and_then(|exit| exit.code)
        };
        assert_eq!((code("app"), code("side")), (Some(7), Some(0)));
    });
}

#[test]
fn a_container_that_its_policy_restarts() {
    crash_everywhere(&async |driver: &mut Driver| {
        let arn = arn(1);
        let mut app = shell("app", "image", "sleep 61; exit 1");
        app.restart_policy = Some(RestartPolicy {
            ignored_exit_codes: Vec::new(),
            restart_attempt_period: Duration::from_mins(1),
        });
        driver.put(&arn, task(vec![app])).await;
        let restarted_twice = |snapshot: &Snapshot| {
            let views = snapshot.tasks.values();
            views
                .flat_map(|view| view.task.known.containers.values())
                .any(|known| known.restart_count >= 2)
        };
        driver.until("two restarts", restarted_twice).await;
        assert!(driver.sim.world.ends().len() >= 2);
        remove_all(driver, &arn).await;
    });
}

#[test]
fn containers_that_are_given_host_ports_for_a_range() {
    crash_everywhere(&async |driver: &mut Driver| {
        driver.sim.world.take_port(49_153);
        for n in 1..=2 {
            let mut app = shell("app", "image", SERVE);
            app.port_mappings = vec![PortMapping {
                container: ContainerPorts::Range {
                    first: 8000,
                    last: 8002,
                },
                host_port: None,
                protocol: Protocol::Tcp,
                name: None,
                app_protocol: None,
            }];
            driver.put(&arn(n), task(vec![app])).await;
        }
        for n in 1..=2 {
            let running = is(&arn(n), TaskStatus::Running);
            driver.until("RUNNING", running).await;
        }
        driver.remove(&arn(2)).await;
        remove_all(driver, &arn(1)).await;
    });
}

#[test]
fn a_container_whose_log_driver_refuses() {
    crash_everywhere(&async |driver: &mut Driver| {
        driver.sim.world.add_fault(Fault {
            operation: Operation::Start,
            about: "app".to_owned(),
            times: 1,
            effect: Effect::Fail(ErrorKind::LogDriver),
        });
        let arn = arn(1);
        driver
            .put(&arn, task(vec![shell("app", "image", SERVE)]))
            .await;
        driver.until("RUNNING", is(&arn, TaskStatus::Running)).await;
        remove_all(driver, &arn).await;
    });
}
