//! The control plane is away for an hour of simulated time, or takes few calls: what is to be told waits, in as few
//! calls as the times allow, and is told once when it can be. The agent is killed in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use berth::domain::definition::TaskDefinition;
use berth::domain::ids::TaskArn;
use berth::domain::status::TaskStatus;
use berth::domain::task::{Origin, TaskOptions};
use berth::ecs::api::{ApiError, ControlPlane, Endpoints, Failure, Registered, Registration};
use berth::ecs::report::{Rejections, ReportConfig, Sender, TaskChange};
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
    /// Takes one change in that time at most, and refuses others for their number.
    one_in: Mutex<Option<Duration>>,
    tries: Mutex<Vec<Try>>,
    /// Calls take a while.
    slow: AtomicBool,
    /// Calls under way, and the most that ever were.
    under_way: [AtomicUsize; 2],
}

impl Plane {
    fn since(&self, from: Instant) -> Vec<Try> {
        let tries = self.tries.lock().unwrap();
        tries.iter().filter(|it| it.at >= from).cloned().collect()
    }

    fn failure(&self) -> Option<Failure> {
        if self.away.load(Ordering::Relaxed) {
            return Some(Failure::Unreachable);
        }
        let one_in = (*self.one_in.lock().unwrap())?;
        let tries = self.tries.lock().unwrap();
        let last = tries.iter().rev().find(|it| it.taken)?;
        let too_many = || Failure::Code("ThrottlingException".to_owned());
        (last.at.elapsed() < one_in).then(too_many)
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
        let [now, most] = &self.under_way;
        most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        if self.slow.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        now.fetch_sub(1, Ordering::Relaxed);
        let failure = self.failure();
        self.tries.lock().unwrap().push(Try {
            at: Instant::now(),
            taken: failure.is_none(),
            task: change.task.clone(),
            status: change.status,
        });
        failure.map_or(Ok(()), |failure| {
            Err(ApiError {
                operation: "SubmitTaskStateChange",
                failure,
                message: "not taken".to_owned(),
            })
        })
    }
}

/// Reports of the agent that runs now; end with it.
fn report(driver: &Driver, plane: &Arc<Plane>) -> JoinSet<()> {
    report_with(driver, plane).0
}

fn report_with(driver: &Driver, plane: &Arc<Plane>) -> (JoinSet<()>, Rejections) {
    let config = ReportConfig {
        cluster: "lab".to_owned(),
        exclude_ipv6_bindings: true,
        exclude_ipv4_bindings: false,
    };
    let ids = Arc::new(SeededIds::new(1));
    let (sender, rejections) = Sender::new(config, plane.clone(), driver.sim.handle(), ids);
    let mut work = JoinSet::new();
    let kept = rejections.clone();
    work.spawn(async move {
        let _kept = kept;
        sender.run(CancellationToken::new()).await;
    });
    (work, rejections)
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

/// Method: 100 tasks end and 100 begin in the instant from which one call in 10 seconds is taken.
#[test]
fn two_hundred_changes_are_told_once_each_while_one_call_in_ten_seconds_is_taken() {
    const HALF: u32 = 100;
    const SPACE: Duration = Duration::from_secs(10);
    on_paused_time(async {
        let plane = Arc::new(Plane::default());
        let mut driver = Driver::new(None);
        let mut reports = report(&driver, &plane);
        let before = Instant::now();
        for number in 0..HALF {
            put(&driver, number, serving()).await;
        }
        driver.pass(Duration::from_mins(1)).await;
        assert_eq!(told(&plane.since(before)).len(), 100);

        *plane.one_in.lock().unwrap() = Some(SPACE);
        let begun = Instant::now();
        for number in 0..HALF {
            driver.stop(&arn(number)).await;
            put(&driver, HALF + number, serving()).await;
        }
        // As long as it takes at best, and half as long again.
        driver.pass(SPACE * 2 * HALF * 3 / 2).await;
        let tries = plane.since(begun);
        let (taken, refused): (Vec<Try>, Vec<Try>) = tries.into_iter().partition(|it| it.taken);
        let expected: BTreeMap<_, _> = (0..HALF)
            .flat_map(|n| [(arn(n), vec!["STOPPED"]), (arn(HALF + n), vec!["RUNNING"])])
            .collect();
        assert_eq!(told(&taken), expected);
        assert!(
            refused.len() <= 4 * taken.len(),
            "{} refused",
            refused.len()
        );
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

/// A payload of tasks that cannot be taken in comes again and again while ECS takes no report: each is told once, and
/// they are not all told at once.
#[test]
fn tasks_that_cannot_be_taken_in_are_told_once_and_few_at_a_time() {
    on_paused_time(async {
        let mut driver = Driver::new(None);
        let plane = Arc::new(Plane::default());
        plane.slow.store(true, Ordering::Relaxed);
        plane.away.store(true, Ordering::Relaxed);
        let (mut reports, rejections) = report_with(&driver, &plane);
        let mut waiting = JoinSet::new();
        for _ in 0..3 {
            for number in 0..50 {
                let rejections = rejections.clone();
                waiting.spawn(async move { rejections.stopped(arn(number), "no").await });
            }
            driver.pass(Duration::from_mins(1)).await;
        }
        plane.away.store(false, Ordering::Relaxed);
        driver.pass(Duration::from_mins(2)).await;
        let told = waiting.join_all().await;
        assert_eq!(told.into_iter().filter(|told| *told).count(), 50);
        let tries = plane.tries.lock().unwrap().clone();
        let taken: Vec<&TaskArn> = tries
            .iter()
            .filter(|it| it.taken)
            .map(|it| &it.task)
            .collect();
        let all: BTreeSet<&TaskArn> = taken.iter().copied().collect();
        assert_eq!((taken.len(), all.len()), (50, 50));
        assert_eq!(plane.under_way[1].load(Ordering::Relaxed), 4);
        reports.shutdown().await;
    });
}
