//! A wall clock that somebody sets while tasks run, wait and end.

use std::time::Duration;

use berth::boundary::ErrorKind;
use berth::domain::status::TaskStatus;
use berth::testing::sim::{Driver, SERVE, arn, shell, task};
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
