//! A wall clock that somebody sets while tasks run, wait and end.

use std::sync::Arc;
use std::time::Duration;

use berth::boundary::ErrorKind;
use berth::boundary::credentials::RoleReadiness;
use berth::domain::definition::{HealthCheck, TaskDefinition};
use berth::domain::depends_on::{Condition, Dependency};
use berth::domain::ids::{ContainerName, UnixMillis};
use berth::domain::status::TaskStatus;
use berth::domain::task::{Origin, TaskOptions};
use berth::reconcile::handle::PutTask;
use berth::testing::sim::{Driver, ROLE, SERVE, arn, shell, task};
use berth::testing::world::{Effect, EventFate, Fault, Operation};
use tokio::time::Instant;

use super::on_paused_time;
use super::tasks::is;

/// Hours both ways, and a little.
const STEPS: [i64; 6] = [-90_000, -7_200, -40, 40, 7_200, 90_000];

/// The longest back-off is a minute.
const LONGEST: Duration = Duration::from_mins(1);

async fn all_is_well(driver: Driver) {
    let wrong = driver.finish().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_step_of_the_clock_makes_a_task_wait_longer_than_the_longest_back_off() {
    for step in STEPS {
        on_paused_time(async {
            let mut driver = Driver::new(None);
            driver.sim.world.add_fault(Fault {
                operation: Operation::Create,
                about: String::new(),
                times: 3,
                effect: Effect::Fail(ErrorKind::Transient),
            });
            driver
                .put(&arn(1), task(vec![shell("app", "image", SERVE)]))
                .await;
            driver.pass(Duration::from_millis(1500)).await;
            let begin = Instant::now();
            driver.sim.clock.set_forward(step * 1000);
            driver
                .until("RUNNING", is(&arn(1), TaskStatus::Running))
                .await;
            assert!(begin.elapsed() <= LONGEST, "{step}: {:?}", begin.elapsed());
            all_is_well(driver).await;
        });
    }
}

#[test]
fn an_end_is_seen_across_a_step_of_the_clock_with_events_and_without() {
    for step in STEPS {
        for lost in [false, true] {
            on_paused_time(async {
                let mut driver = Driver::new(None);
                driver
                    .put(&arn(1), task(vec![shell("app", "image", SERVE)]))
                    .await;
                driver
                    .until("RUNNING", is(&arn(1), TaskStatus::Running))
                    .await;
                driver.pass(Duration::from_secs(10)).await;
                driver.sim.world.set_events(if lost {
                    EventFate::Drop
                } else {
                    EventFate::Deliver
                });
                driver.sim.clock.set_forward(step * 1000);
                let id = driver.sim.world.containers().remove(0).id;
                let begin = Instant::now();
                driver.sim.world.end_process(&id, 3, false);
                driver
                    .until("STOPPED", is(&arn(1), TaskStatus::Stopped))
                    .await;
                let took = begin.elapsed();
                assert!(took <= Duration::from_secs(10), "{step} {lost}: {took:?}");
                driver.sim.world.set_events(EventFate::Deliver);
                all_is_well(driver).await;
            });
        }
    }
}

/// As far as the clock of a device is set that began in the past.
const DAYS: i64 = 96 * 3_600_000;

fn denied() -> RoleReadiness {
    RoleReadiness::Failing {
        failures: 1,
        kind: ErrorKind::Denied,
        message: "SignatureDoesNotMatch".to_owned(),
        next_at: UnixMillis(0),
    }
}

#[test]
fn a_clock_that_is_set_forward_gives_up_no_task_that_waits_for_its_role() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.sim.roles.set(denied());
        let mut definition = task(vec![shell("app", "image", SERVE)]);
        definition.task_role_arn = Some(ROLE.to_owned());
        driver.put(&arn(1), definition).await;
        driver.pass(Duration::from_secs(5)).await;
        driver.sim.clock.set_forward(DAYS);
        // The next agent reads from the rows since when the task waits.
        driver.pass(Duration::from_secs(10)).await;
        driver.sim.crash().await;
        driver.sim.start();
        driver.pass(Duration::from_secs(5)).await;
        driver.sim.roles.set(RoleReadiness::Ready);
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        all_is_well(driver).await;
    });
}

#[test]
fn a_role_that_stays_denied_stops_its_task_in_time_though_the_clock_was_set() {
    for step in [-DAYS, DAYS] {
        on_paused_time(async {
            let mut driver = Driver::new(None);
            driver.sim.roles.set(denied());
            let mut definition = task(vec![shell("app", "image", SERVE)]);
            definition.task_role_arn = Some(ROLE.to_owned());
            driver.put(&arn(1), definition).await;
            let begin = Instant::now();
            driver.pass(Duration::from_mins(1)).await;
            driver.sim.clock.set_forward(step);
            driver
                .until("STOPPED", is(&arn(1), TaskStatus::Stopped))
                .await;
            let took = begin.elapsed();
            assert!(took >= Duration::from_mins(5), "{step}: {took:?}");
            assert!(took <= Duration::from_secs(310), "{step}: {took:?}");
            all_is_well(driver).await;
        });
    }
}

/// `app` waits for two minutes for `db` to be healthy.
fn waits_for_health() -> TaskDefinition {
    let mut db = shell("db", "image", SERVE);
    db.start_timeout = Some(Duration::from_mins(2));
    db.health_check = Some(HealthCheck {
        command: vec!["CMD-SHELL".to_owned(), "true".to_owned()],
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        retries: 2,
        start_period: Duration::ZERO,
    });
    let mut app = shell("app", "slow", SERVE);
    app.depends_on = vec![Dependency {
        container: db.name.clone(),
        condition: Condition::Healthy,
    }];
    task(vec![db, app])
}

/// `db` is never healthy, so that the task stops after two minutes; `disturb` begins 30 seconds after it was put. The
/// image of `app` takes so long to be pulled, after which its wait begins.
async fn times_out_in_time(pull: Duration, disturb: impl AsyncFnOnce(&mut Driver)) {
    let mut driver = Driver::new(None);
    driver.sim.world.add_fault(Fault {
        operation: Operation::Pull,
        about: "slow".to_owned(),
        times: 1,
        effect: Effect::Delay(pull),
    });
    let db = ContainerName::parse("db").unwrap();
    driver.sim.world.set_unhealthy(&db, true);
    driver.put(&arn(1), waits_for_health()).await;
    let begin = Instant::now();
    driver.pass(Duration::from_secs(30)).await;
    disturb(&mut driver).await;
    driver
        .until("STOPPED", is(&arn(1), TaskStatus::Stopped))
        .await;
    let took = begin.elapsed();
    assert!(took >= Duration::from_mins(2), "{took:?}");
    assert!(took <= Duration::from_secs(130), "{took:?}");
    driver.sim.world.set_unhealthy(&db, false);
    all_is_well(driver).await;
}

#[test]
fn a_start_timeout_is_as_long_as_it_was_whichever_way_the_clock_is_set() {
    for step in [-DAYS, DAYS] {
        on_paused_time(times_out_in_time(Duration::ZERO, async |driver| {
            driver.sim.clock.set_forward(step);
        }));
    }
}

#[test]
fn a_start_timeout_is_as_long_as_it_was_for_the_next_agent_too() {
    for step in [-DAYS, DAYS] {
        on_paused_time(times_out_in_time(Duration::ZERO, async |driver| {
            driver.sim.clock.set_forward(step);
            driver.pass(Duration::from_secs(10)).await;
            driver.sim.crash().await;
            driver.sim.start();
            driver.pass(Duration::from_secs(10)).await;
            // Nor does it lose count when the clock is set again.
            driver.sim.clock.set_forward(step);
        }));
    }
}

/// What is in no row is set along too. Method: the wait begins only afterwards.
#[test]
fn a_start_timeout_is_as_long_as_it_was_when_the_commit_of_the_step_says_that_it_failed() {
    for step in [-DAYS, DAYS] {
        on_paused_time(times_out_in_time(Duration::from_mins(1), async |driver| {
            driver.sim.store.lose_next_answers(1);
            driver.sim.clock.set_forward(step);
        }));
    }
}

#[test]
fn a_clock_that_is_set_forward_takes_away_no_task_that_is_kept_for_a_while() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        for (number, origin) in [(1, Origin::Ecs), (2, Origin::Api)] {
            let put = PutTask {
                arn: arn(number),
                definition: Arc::new(task(vec![shell("job", "image", "exit 4")])),
                options: TaskOptions::default(),
                origin,
                expected_generation: None,
            };
            driver.sim.handle().put(put).await.expect("durable");
            driver
                .until("STOPPED", is(&arn(number), TaskStatus::Stopped))
                .await;
        }
        driver.pass(Duration::from_mins(1)).await;
        driver.sim.clock.set_forward(DAYS);
        driver.pass(Duration::from_secs(10)).await;
        driver.sim.crash().await;
        driver.sim.start();
        driver.pass(Duration::from_hours(2)).await;
        let kept = |driver: &Driver, number| driver.sim.status(&arn(number));
        assert_eq!(kept(&driver, 1), Some(TaskStatus::Stopped));
        assert_eq!(kept(&driver, 2), Some(TaskStatus::Stopped));
        driver.pass(Duration::from_hours(2)).await;
        // ECS has not heard of it.
        assert_eq!(kept(&driver, 1), Some(TaskStatus::Stopped));
        assert_eq!(kept(&driver, 2), None);
        driver.pass(Duration::from_hours(72)).await;
        assert_eq!(kept(&driver, 1), None);
        all_is_well(driver).await;
    });
}
