//! The service with a kernel that is made up, in paused time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Outside, StatsConfig, StatsHandle, Tracked, TrackedContainer, service};
use crate::boundary::UsageSource;
use crate::boundary::stats::{ContainerStats, StatsView};
use crate::boundary::usage::{UsageRound, UsageTarget};
use crate::domain::ids::DockerId;
use crate::domain::sample::{arn, name};
use crate::domain::usage::{ContainerSample, CpuUsage};
use crate::testing::clock::TokioClock;

/// Each round is five seconds after the last, and every container was busy all the time.
#[derive(Default)]
struct Kernel {
    rounds: AtomicU32,
    panics: AtomicBool,
}

impl UsageSource for Kernel {
    fn read(&self, targets: &[UsageTarget]) -> UsageRound {
        let round = self.rounds.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics.swap(false, Ordering::SeqCst), "as tested");
        let taken = Duration::from_secs(5) * round;
        let sample = ContainerSample {
            taken,
            cpu: CpuUsage {
                total_ns: u64::try_from(taken.as_nanos()).unwrap(),
                ..CpuUsage::default()
            },
            ..ContainerSample::default()
        };
        UsageRound {
            began: taken,
            containers: targets
                .iter()
                .map(|target| (target.id.clone(), Ok(sample.clone())))
                .collect(),
            host: None,
        }
    }
}

struct Rig {
    kernel: Arc<Kernel>,
    tracked: Arc<Mutex<Tracked>>,
    changes: watch::Sender<u64>,
    handle: StatsHandle,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Rig {
    fn new(config: StatsConfig) -> Self {
        let kernel = Arc::new(Kernel::default());
        let tracked = Arc::new(Mutex::new(Tracked::default()));
        let shown = Arc::clone(&tracked);
        let (changes, news) = watch::channel(0);
        let (service, handle) = service(
            config,
            Outside {
                source: kernel.clone(),
                clock: Arc::new(TokioClock::new()),
                tracked: Arc::new(move || shown.lock().unwrap().clone()),
                changes: news,
            },
        );
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(service.run(stop.clone()));
        Self {
            kernel,
            tracked,
            changes,
            handle,
            stop,
            tasks,
        }
    }

    fn track(&self, id: &str) {
        let container = TrackedContainer {
            name: name("app"),
            docker_id: DockerId::parse(id).unwrap(),
            docker_name: "ecs-app".to_owned(),
        };
        *self.tracked.lock().unwrap() = Tracked {
            tasks: BTreeMap::from([(arn("abc"), vec![container])]),
        };
        self.changes.send_modify(|count| *count += 1);
    }

    /// Waits until that many rounds were published.
    async fn rounds(&self, count: u32) {
        while self.kernel.rounds.load(Ordering::SeqCst) < count {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // What was read last is published before the next round begins.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    fn cpus(&self) -> Option<f64> {
        let usage = self.handle.latest();
        usage.tasks.get(&arn("abc"))?.rates.map(|rates| rates.cpus)
    }
}

#[tokio::test(start_paused = true)]
async fn readings_become_rates_and_points() {
    let rig = Rig::new(StatsConfig::default());
    assert_eq!(rig.handle.latest().at, None);
    rig.track("a1");
    rig.rounds(2).await;
    assert_eq!(rig.cpus(), Some(1.0));
    assert!(rig.handle.history(&arn("xyz")).is_none());
    let shown = |id| rig.handle.stats(&DockerId::parse(id).unwrap());
    assert!(matches!(shown("a1"), StatsView::Sample { .. }));
    assert_eq!(shown("b2"), StatsView::Untracked);
    rig.rounds(4).await;
    let history = rig.handle.history(&arn("abc")).unwrap();
    assert_eq!(history.points().next().unwrap().cpu_millis, 1000);
}

#[tokio::test(start_paused = true)]
async fn a_new_container_is_soon_read_twice() {
    let rig = Rig::new(StatsConfig::default());
    rig.track("a1");
    let began = tokio::time::Instant::now();
    rig.rounds(2).await;
    let settled = began.elapsed();
    rig.rounds(3).await;
    let next = began.elapsed().saturating_sub(settled);
    assert!(settled < next, "{settled:?} to be known, then {next:?}");
}

#[tokio::test(start_paused = true)]
async fn a_container_that_has_just_started_is_known_and_read_within_a_second() {
    let rig = Rig::new(StatsConfig::default());
    rig.rounds(3).await;
    rig.track("a1");
    let shown = |id| rig.handle.stats(&DockerId::parse(id).unwrap());
    assert_eq!(shown("a1"), StatsView::NoSample);
    assert_eq!(shown("b2"), StatsView::Untracked);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(matches!(shown("a1"), StatsView::Sample { .. }));
}

#[tokio::test(start_paused = true)]
async fn news_of_nothing_more_makes_no_round() {
    let rig = Rig::new(StatsConfig::default());
    rig.track("a1");
    rig.rounds(2).await;
    let before = rig.kernel.rounds.load(Ordering::SeqCst);
    for _ in 0..40 {
        rig.track("a1");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(rig.kernel.rounds.load(Ordering::SeqCst), before);
}

#[tokio::test(start_paused = true)]
async fn a_round_that_panics_is_followed_by_others() {
    let rig = Rig::new(StatsConfig::default());
    rig.track("a1");
    rig.rounds(2).await;
    rig.kernel.panics.store(true, Ordering::SeqCst);
    rig.rounds(5).await;
    assert_eq!(rig.cpus(), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_where_it_is_turned_off_and_both_end_when_asked() {
    for enabled in [false, true] {
        let mut rig = Rig::new(StatsConfig {
            enabled,
            ..StatsConfig::default()
        });
        rig.track("a1");
        tokio::time::sleep(Duration::from_mins(1)).await;
        let read = rig.kernel.rounds.load(Ordering::SeqCst);
        assert_eq!(read > 0, enabled);
        assert_eq!(rig.handle.latest().at.is_some(), enabled);
        let shown = rig.handle.stats(&DockerId::parse("a1").unwrap());
        assert_eq!(shown != StatsView::Untracked, enabled);
        rig.stop.cancel();
        rig.tasks.join_next().await.unwrap().unwrap();
    }
}
