//! Tasks with a role: no first instruction without credentials, and nothing running depends on them.

use std::time::Duration;

use berth::boundary::ErrorKind;
use berth::boundary::credentials::RoleReadiness;
use berth::domain::definition::TaskDefinition;
use berth::domain::status::TaskStatus;
use berth::domain::task::Cause;
use berth::testing::sim::{Driver, SERVE, arn, shell, task};

use super::on_paused_time;
use super::tasks::{gone, is};

fn with_role() -> TaskDefinition {
    let mut definition = task(vec![shell("app", "image", SERVE)]);
    definition.task_role_arn = Some("arn:aws:iam::123456789012:role/web".to_owned());
    definition
}

fn failing() -> RoleReadiness {
    RoleReadiness::Failing {
        failures: 1,
        kind: ErrorKind::Denied,
        message: "AccessDenied".to_owned(),
        next_at: berth::domain::ids::UnixMillis(0),
    }
}

async fn all_is_well(driver: Driver) {
    let wrong = driver.finish().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_container_starts_when_the_credentials_are_there_and_not_before() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.sim.roles.set(RoleReadiness::Fetching);
        driver.put(&arn(1), with_role()).await;
        driver.pass(Duration::from_mins(1)).await;
        assert!(driver.sim.world.containers().is_empty());
        let waits = &driver.sim.snapshot().tasks[&arn(1)].task.known.conditions;
        assert_eq!(waits[0].cause, Cause::WaitingForCredentials);
        assert!(waits[0].deadline.is_some());
        driver.sim.roles.set(RoleReadiness::Ready);
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        all_is_well(driver).await;
    });
}

#[test]
fn a_role_that_stays_denied_stops_its_task_and_no_other() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.sim.roles.set(failing());
        driver.put(&arn(1), with_role()).await;
        driver
            .put(&arn(2), task(vec![shell("app", "image", SERVE)]))
            .await;
        driver
            .until("the other is RUNNING", is(&arn(2), TaskStatus::Running))
            .await;
        driver.pass(Duration::from_mins(6)).await;
        let snapshot = driver.sim.snapshot();
        let known = &snapshot.tasks[&arn(1)].task.known;
        assert_eq!(known.status, TaskStatus::Stopped);
        let reason = &known.stop.as_ref().unwrap().reason;
        assert!(reason.message.contains("AccessDenied"), "{reason}");
        assert_eq!(
            snapshot.tasks[&arn(2)].task.known.status,
            TaskStatus::Running
        );
        all_is_well(driver).await;
    });
}

#[test]
fn a_restart_wants_the_same_ids_again_and_leaves_what_runs_alone() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.put(&arn(1), with_role()).await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        let wanted = driver.sim.roles.wanted();
        assert_eq!(wanted.len(), 1);
        driver.sim.crash().await;
        driver.sim.roles.set(failing());
        driver.sim.start();
        driver.pass(Duration::from_mins(10)).await;
        assert_eq!(driver.sim.roles.wanted(), wanted);
        assert!(is(&arn(1), TaskStatus::Running)(&driver.sim.snapshot()));
        driver.sim.remove(&arn(1)).await.unwrap();
        driver.until("gone", gone(&arn(1))).await;
        assert!(driver.sim.roles.wanted().is_empty());
        all_is_well(driver).await;
    });
}
