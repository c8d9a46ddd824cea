//! Tasks with a role: no first instruction without credentials, and nothing running depends on them.

use std::time::Duration;

use berth::boundary::ErrorKind;
use berth::boundary::credentials::RoleReadiness;
use berth::domain::definition::{SecretRef, TaskDefinition};
use berth::domain::status::TaskStatus;
use berth::domain::task::Cause;
use berth::testing::sim::{Driver, ROLE, SERVE, arn, shell, task};

use super::on_paused_time;
use super::tasks::{gone, is};

fn with_role() -> TaskDefinition {
    let mut definition = task(vec![shell("app", "image", SERVE)]);
    definition.task_role_arn = Some(ROLE.to_owned());
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

/// An image of ECR and an execution role.
fn of_ecr() -> TaskDefinition {
    let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:1";
    let mut definition = task(vec![shell("app", image, SERVE)]);
    definition.execution_role_arn = Some("arn:aws:iam::123456789012:role/x".to_owned());
    definition
}

#[test]
fn an_image_of_ecr_is_pulled_when_the_execution_role_is_there_and_others_do_not_wait() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.sim.roles.set(failing());
        driver.put(&arn(1), of_ecr()).await;
        driver
            .put(&arn(2), task(vec![shell("app", "image", SERVE)]))
            .await;
        driver
            .until("the other is RUNNING", is(&arn(2), TaskStatus::Running))
            .await;
        let waits = &driver.sim.snapshot().tasks[&arn(1)].task.known.conditions;
        assert_eq!(waits[0].cause, Cause::WaitingForCredentials);
        assert!(waits[0].message.contains("execution role"), "{waits:?}");
        driver.sim.crash().await;
        driver.sim.start();
        driver.sim.roles.set(RoleReadiness::Ready);
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        all_is_well(driver).await;
    });
}

#[test]
fn an_execution_role_that_stays_denied_stops_its_task() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.sim.roles.set(failing());
        driver.put(&arn(1), of_ecr()).await;
        driver.pass(Duration::from_mins(6)).await;
        let snapshot = driver.sim.snapshot();
        let known = &snapshot.tasks[&arn(1)].task.known;
        assert_eq!(known.status, TaskStatus::Stopped);
        let reason = &known.stop.as_ref().unwrap().reason;
        assert!(reason.message.contains("execution role"), "{reason}");
        all_is_well(driver).await;
    });
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

/// A container that needs a value from outside, and an execution role.
fn with_secret() -> TaskDefinition {
    let mut container = shell("app", "image", SERVE);
    container.secrets = vec![SecretRef {
        name: "PASSWORD".to_owned(),
        value_from: "db-password".to_owned(),
    }];
    let mut definition = task(vec![container]);
    definition.execution_role_arn = Some("arn:aws:iam::123456789012:role/x".to_owned());
    definition
}

#[test]
fn secrets_that_cannot_be_had_now_are_asked_for_again_and_nobody_else_waits() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.sim.secrets.fail(Some(ErrorKind::Throttled));
        driver.put(&arn(1), with_secret()).await;
        driver
            .put(&arn(2), task(vec![shell("app", "image", SERVE)]))
            .await;
        driver
            .until("the other is RUNNING", is(&arn(2), TaskStatus::Running))
            .await;
        driver.pass(Duration::from_secs(20)).await;
        assert_eq!(driver.sim.world.containers().len(), 1);
        let waits = &driver.sim.snapshot().tasks[&arn(1)].task.known.conditions;
        assert_eq!(waits[0].cause, Cause::BackingOff, "{waits:?}");
        driver.sim.crash().await;
        driver.sim.start();
        driver.sim.secrets.fail(None);
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        let asked = driver.sim.secrets.asked();
        driver.sim.crash().await;
        driver.sim.start();
        driver.pass(Duration::from_mins(1)).await;
        assert!(is(&arn(1), TaskStatus::Running)(&driver.sim.snapshot()));
        assert_eq!(driver.sim.secrets.asked(), asked, "what runs needs none");
        all_is_well(driver).await;
    });
}

#[test]
fn secrets_that_are_refused_stop_their_task_and_go_with_it() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.put(&arn(1), with_secret()).await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        assert_eq!(driver.sim.secrets.tasks(), 1);
        driver.sim.secrets.fail(Some(ErrorKind::Denied));
        driver.put(&arn(2), with_secret()).await;
        driver
            .until("STOPPED", is(&arn(2), TaskStatus::Stopped))
            .await;
        let snapshot = driver.sim.snapshot();
        let known = &snapshot.tasks[&arn(2)].task.known;
        let reason = known.stop.as_ref().unwrap().reason.to_string();
        assert_eq!(reason, "ResourceInitializationError: no secrets");
        for n in [1, 2] {
            driver.sim.remove(&arn(n)).await.unwrap();
            driver.until("gone", gone(&arn(n))).await;
        }
        assert_eq!(driver.sim.secrets.tasks(), 0);
        all_is_well(driver).await;
    });
}
