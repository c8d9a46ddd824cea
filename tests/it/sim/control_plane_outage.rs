//! The control plane is away for an hour of simulated time: what is to be told waits, in as few calls as the times
//! allow, and is told once when it is back. The agent is killed in between.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use berth::domain::definition::TaskDefinition;
use berth::domain::ids::TaskArn;
use berth::domain::status::TaskStatus;
use berth::domain::task::{Origin, TaskOptions};
use berth::ecs::api::{ApiError, ControlPlane, Endpoints, Failure, Registered, Registration};
use berth::ecs::report::{ReportConfig, Sender, TaskChange};
use berth::reconcile::handle::PutTask;
use berth::reconcile::settings::EngineSettings;
use berth::testing::clock::SeededIds;
use berth::testing::sim::{Driver, SERVE, arn, shell, task};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::on_paused_time;
use super::tasks::{gone, is};

/// A try to tell a change: when, whether it was taken, of which task, which status.
#[derive(Clone, Debug)]
struct Try {
    at: Instant,
    taken: bool,
    task: TaskArn,
    status: &'static str,
}

/// Takes changes while it is there.
#[derive(Default)]
struct Plane {
    away: AtomicBool,
    tries: Mutex<Vec<Try>>,
}

impl Plane {
    fn since(&self, from: Instant) -> Vec<Try> {
        let tries = self.tries.lock().unwrap();
        tries.iter().filter(|it| it.at >= from).cloned().collect()
    }
}

#[async_trait]
impl ControlPlane for Plane {
    async fn register(&self, _: &Registration) -> Result<Registered, ApiError> {
        unreachable!("nobody registers")
    }

    async fn create_cluster(&self, _: &str) -> Result<String, ApiError> {
        unreachable!("nobody makes a cluster")
    }

    async fn discover(&self, _: &str, _: &str) -> Result<Endpoints, ApiError> {
        unreachable!("nobody connects")
    }

    async fn drain(&self, _: &str, _: &str) -> Result<(), ApiError> {
        unreachable!("nobody drains")
    }

    async fn submit(&self, _: &str, change: &TaskChange) -> Result<(), ApiError> {
        let taken = !self.away.load(Ordering::Relaxed);
        self.tries.lock().unwrap().push(Try {
            at: Instant::now(),
            taken,
            task: change.task.clone(),
            status: change.status,
        });
        taken.then_some(()).ok_or_else(|| ApiError {
            operation: "SubmitTaskStateChange",
            failure: Failure::Unreachable,
            message: "away".to_owned(),
        })
    }
}

/// Reports of the agent that runs now; end with it.
fn report(driver: &Driver, plane: &Arc<Plane>) -> JoinSet<()> {
    let config = ReportConfig {
        cluster: "lab".to_owned(),
        exclude_ipv6_bindings: true,
    };
    let ids = Arc::new(SeededIds::new(1));
    let (sender, rejections) = Sender::new(config, plane.clone(), driver.sim.handle(), ids);
    let mut work = JoinSet::new();
    work.spawn(async move {
        let _rejections = rejections;
        sender.run(CancellationToken::new()).await;
    });
    work
}

async fn put(driver: &Driver, number: u32, definition: TaskDefinition) {
    let put = PutTask {
        arn: arn(number),
        definition: Arc::new(definition),
        options: TaskOptions::default(),
        origin: Origin::Ecs,
        expected_generation: None,
    };
    driver.sim.handle().put(put).await.expect("durable");
}

fn serving() -> TaskDefinition {
    task(vec![shell("main", "image", SERVE)])
}

/// Statuses of each task, in order.
fn told(tries: &[Try]) -> BTreeMap<TaskArn, Vec<&'static str>> {
    let mut told: BTreeMap<TaskArn, Vec<&'static str>> = BTreeMap::new();
    for it in tries {
        told.entry(it.task.clone()).or_default().push(it.status);
    }
    told
}

#[test]
fn check_105_and_107_an_outage_of_an_hour_ends_with_each_change_told_once() {
    on_paused_time(async {
        let plane = Arc::new(Plane::default());
        let begun = Instant::now();
        let mut driver = Driver::new(None);
        let mut reports = report(&driver, &plane);
        for number in 1..4 {
            put(&driver, number, serving()).await;
            driver
                .until("RUNNING", is(&arn(number), TaskStatus::Running))
                .await;
        }
        driver.pass(Duration::from_mins(1)).await;
        let before = told(&plane.since(begun));
        assert_eq!(before.len(), 3, "{before:?}");

        plane.away.store(true, Ordering::Relaxed);
        let gone = Instant::now();
        driver.stop(&arn(1)).await;
        put(&driver, 4, serving()).await;
        driver.pass(Duration::from_mins(20)).await;
        driver.stop(&arn(4)).await;
        driver.pass(Duration::from_mins(10)).await;
        reports.shutdown().await;
        driver.sim.crash().await;
        driver.sim.start();
        let restarted = Instant::now();
        let mut reports = report(&driver, &plane);
        driver.stop(&arn(2)).await;
        driver.pass(Duration::from_mins(30)).await;
        let during = plane.since(gone);
        assert!(during.iter().all(|it| !it.taken));
        for number in [1, 2, 4] {
            let of_task: Vec<&Try> = during.iter().filter(|it| it.task == arn(number)).collect();
            // 1 s to 30 s, a third longer each time: some 15 and then two a minute; a restart begins anew.
            assert!((20..170).contains(&of_task.len()), "{}", of_task.len());
            for pair in of_task.windows(2) {
                let wait = pair[1].at - pair[0].at;
                let across = pair[0].at < restarted && pair[1].at >= restarted;
                assert!(across || wait >= Duration::from_secs(1), "{pair:?}");
            }
        }
        assert!(!told(&during).contains_key(&arn(3)), "it has no news");

        plane.away.store(false, Ordering::Relaxed);
        let back = Instant::now();
        driver.pass(Duration::from_mins(2)).await;
        let after = plane.since(back);
        assert!(after.iter().all(|it| it.taken));
        let expected: BTreeMap<_, _> = [1, 2, 4].map(|n| (arn(n), vec!["STOPPED"])).into();
        assert_eq!(told(&after), expected);
        let latest = after
            .iter()
            .map(|it| it.at - back)
            .max()
            .unwrap_or_default();
        assert!(latest <= Duration::from_secs(36), "{latest:?}");
        reports.shutdown().await;
        let wrong = driver.finish().await;
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

/// Method: the control plane is away for longer than stopped tasks are kept otherwise.
#[test]
fn check_116_a_stopped_task_is_kept_until_ecs_has_heard_of_it() {
    on_paused_time(async {
        let plane = Arc::new(Plane::default());
        let mut driver = Driver::new(None);
        let mut reports = report(&driver, &plane);
        put(&driver, 1, serving()).await;
        driver
            .until("RUNNING", is(&arn(1), TaskStatus::Running))
            .await;
        driver.pass(Duration::from_mins(1)).await;
        plane.away.store(true, Ordering::Relaxed);
        driver.stop(&arn(1)).await;
        driver
            .until("STOPPED", is(&arn(1), TaskStatus::Stopped))
            .await;
        let longer = EngineSettings::default().cleanup_wait + Duration::from_hours(1);
        driver.pass(longer).await;
        assert!(driver.sim.snapshot().tasks.contains_key(&arn(1)));
        plane.away.store(false, Ordering::Relaxed);
        driver.until("it is forgotten", gone(&arn(1))).await;
        reports.shutdown().await;
        let wrong = driver.finish().await;
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}
