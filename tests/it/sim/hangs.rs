//! Calls that hang, beside everything that must go on meanwhile.

use std::time::Duration;

use berth::boundary::Clock;
use berth::domain::status::TaskStatus;
use berth::testing::sim::{Driver, SERVE, arn, shell, task};
use berth::testing::world::{Effect, Fault, Operation};
use tokio::time::Instant;

use super::on_paused_time;
use super::tasks::is;

/// As many hanging calls as lanes have places, three times over.
const HANGING: u32 = 48;

async fn all_is_well(driver: Driver) {
    let wrong = driver.finish().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn hang(driver: &Driver, operation: Operation, about: &str) {
    driver.sim.world.add_fault(Fault {
        operation,
        about: about.to_owned(),
        times: u32::MAX,
        effect: Effect::Hang(Duration::from_mins(4)),
    });
}

#[test]
fn many_containers_whose_creates_hang_hold_up_nothing_but_themselves() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        hang(&driver, Operation::Create, "wedged");
        for n in 1..=HANGING {
            let definition = task(vec![shell("wedged", "image", SERVE)]);
            driver.put(&arn(n), definition).await;
        }
        driver.pass(Duration::from_secs(1)).await;
        let (begin, good) = (driver.sim.clock.now(), arn(HANGING + 1));
        driver
            .put(&good, task(vec![shell("app", "image", SERVE)]))
            .await;
        driver
            .until("RUNNING", is(&good, TaskStatus::Running))
            .await;
        let took = driver.sim.clock.now().since(begin);
        assert!(took < Duration::from_secs(15), "{took:?}");
        driver.sim.world.heal();
        for n in 1..=HANGING {
            let arn = arn(n);
            driver.remove(&arn).await;
            driver.until("removal", super::tasks::gone(&arn)).await;
        }
        all_is_well(driver).await;
    });
}

#[test]
fn a_list_that_hangs_delays_no_event_and_no_step() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        let app = shell("app", "image", "sleep 60; exit 4");
        driver.put(&arn(1), task(vec![app])).await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        hang(&driver, Operation::List, "");
        driver.pass(Duration::from_secs(30)).await;
        driver
            .put(&arn(2), task(vec![shell("app", "image", SERVE)]))
            .await;
        driver.pass(Duration::from_secs(2)).await;
        assert_eq!(driver.sim.status(&arn(2)), Some(TaskStatus::Running));
        driver.pass(Duration::from_secs(32)).await;
        assert_eq!(driver.sim.status(&arn(1)), Some(TaskStatus::Stopped));
        // The list is given up: Docker answers all the same.
        driver.pass(Duration::from_mins(5)).await;
        let snapshot = driver.sim.snapshot();
        assert!(snapshot.engine.list_error.is_some());
        assert_eq!(snapshot.engine.runtime_error, None);
        driver.stop(&arn(2)).await;
        driver.pass(Duration::from_secs(2)).await;
        assert_eq!(driver.sim.status(&arn(2)), Some(TaskStatus::Stopped));
        driver.sim.world.heal();
        driver.pass(Duration::from_mins(5)).await;
        assert_eq!(driver.sim.snapshot().engine.list_error, None);
        all_is_well(driver).await;
    });
}

#[test]
fn what_is_heard_during_a_look_is_not_lost_with_its_older_answer() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver
            .put(&arn(1), task(vec![shell("app", "image", SERVE)]))
            .await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        // No list finds it.
        hang(&driver, Operation::List, "");
        driver.pass(Duration::from_secs(10)).await;
        driver.sim.world.add_fault(Fault {
            operation: Operation::Inspect,
            about: String::new(),
            times: 1,
            effect: Effect::AnswerLate(Duration::from_secs(2)),
        });
        let id = driver.sim.world.containers().remove(0).id;
        driver.sim.world.rename_from_outside(&id, "renamed");
        driver.pass(Duration::from_secs(1)).await;
        driver.sim.world.end_process(&id, 137, true);
        driver.pass(Duration::from_secs(5)).await;
        assert_eq!(driver.sim.status(&arn(1)), Some(TaskStatus::Stopped));
        driver.sim.world.heal();
        all_is_well(driver).await;
    });
}

#[test]
fn an_end_that_is_told_while_the_look_after_the_start_is_answered_is_looked_at() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver.pass(Duration::from_secs(1)).await;
        // No list finds it.
        hang(&driver, Operation::List, "");
        driver.pass(Duration::from_secs(10)).await;
        driver.sim.world.add_fault(Fault {
            operation: Operation::Inspect,
            about: String::new(),
            times: 1,
            effect: Effect::AnswerLate(Duration::from_secs(2)),
        });
        let app = shell("app", "image", "sleep 1; exit 3");
        driver.put(&arn(1), task(vec![app])).await;
        driver.pass(Duration::from_secs(3)).await;
        assert_eq!(driver.sim.status(&arn(1)), Some(TaskStatus::Stopped));
        driver.sim.world.heal();
        all_is_well(driver).await;
    });
}

#[test]
fn an_agent_whose_store_hangs_ends_soon_when_it_is_told_to() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        driver
            .put(&arn(1), task(vec![shell("app", "image", SERVE)]))
            .await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        driver.sim.gate.hang_commits();
        let (late, definition) = (arn(2), task(vec![shell("app", "image", SERVE)]));
        let put = driver.sim.put(&late, definition);
        let answered = tokio::time::timeout(Duration::from_secs(1), put).await;
        assert!(answered.is_err());
        let begin = Instant::now();
        driver.sim.stop_agent().await;
        assert!(begin.elapsed() < Duration::from_secs(10));
        assert_eq!(driver.sim.world.ends(), []);
    });
}

#[test]
fn a_docker_that_comes_back_with_more_to_give_serves_those_who_wait() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        for n in [1, 2] {
            let mut definition = task(vec![shell("app", "image", SERVE)]);
            definition.cpu_units = Some(1536);
            driver.put(&arn(n), definition).await;
        }
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        driver.pass(Duration::from_secs(20)).await;
        assert_eq!(driver.sim.status(&arn(2)), Some(TaskStatus::Pending));
        driver.sim.facts.lock().unwrap().cpu_units = 4096;
        // Little more than it takes until the event stream ends.
        driver.sim.world.set_down(true);
        driver.pass(Duration::from_millis(600)).await;
        driver.sim.world.set_down(false);
        driver
            .until("RUNNING", is(&arn(2), TaskStatus::Running))
            .await;
        all_is_well(driver).await;
    });
}
