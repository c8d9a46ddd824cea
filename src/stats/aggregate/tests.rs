//! Rounds of readings in, figures out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Book, Hours, Rates, Totals};
use crate::boundary::usage::UsageRound;
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::ids::{DockerId, TaskArn, UnixMillis};
use crate::domain::sample::{arn, name};
use crate::domain::usage::{
    CgroupVersion, ContainerSample, CpuUsage, HostCpu, HostSample, InterfaceCounters, MemoryUsage,
    NetworkUsage, Pids,
};
use crate::stats::snapshot::{TaskUsage, Tracked, TrackedContainer, UsageSnapshot};

const SECOND: u64 = 1_000_000_000;

/// A reading: CPU seconds and bytes received in a network, from the test's script.
#[derive(Clone, Copy)]
struct Read {
    id: &'static str,
    cpu: u64,
    network: Option<(u64, u64)>,
}

fn read(id: &'static str, cpu: u64) -> Read {
    Read {
        id,
        cpu,
        network: None,
    }
}

fn sample(read: Read, taken: Duration) -> ContainerSample {
    let network = read.network.map(|(namespace, rx_bytes)| {
        let counters = InterfaceCounters {
            rx_bytes,
            tx_bytes: rx_bytes / 2,
            ..InterfaceCounters::default()
        };
        NetworkUsage {
            namespace,
            interfaces: BTreeMap::from([("eth0".into(), counters)]),
        }
    });
    ContainerSample {
        taken,
        version: CgroupVersion::V2,
        cpu: CpuUsage {
            total_ns: read.cpu * SECOND,
            ..CpuUsage::default()
        },
        memory: MemoryUsage {
            usage: 1000,
            stats: vec![("inactive_file".into(), 400)],
            ..MemoryUsage::default()
        },
        pids: Pids {
            current: 2,
            limit: None,
        },
        network,
        ..ContainerSample::default()
    }
}

/// Plays rounds, five seconds apart.
#[derive(Default)]
struct Play {
    book: Book,
    hours: Hours,
    round: u32,
}

impl Play {
    /// One round over containers by name; `None` = it cannot be read.
    fn round(&mut self, containers: &[(&str, &'static str, Option<Read>)]) -> UsageSnapshot {
        let taken = Duration::from_secs(5) * self.round;
        let at = UnixMillis(1_700_000_000_000).plus(taken);
        self.round += 1;
        let tracked = containers.iter().map(|(text, id, _)| TrackedContainer {
            name: name(text),
            docker_id: DockerId::parse(id).unwrap(),
            docker_name: format!("ecs-{text}"),
        });
        let read = containers.iter().map(|(_, id, read)| {
            let gone = || BoundaryError::new("read", ErrorKind::NotFound, "gone");
            let result = read.map(|read| sample(read, taken)).ok_or_else(gone);
            (DockerId::parse(id).unwrap(), result)
        });
        let round = UsageRound {
            began: taken,
            containers: read.collect(),
            host: Some(HostSample {
                taken,
                cpu: HostCpu {
                    total_ns: u64::from(self.round) * 10 * SECOND,
                    busy_ns: u64::from(self.round) * 5 * SECOND,
                    online: 2,
                },
                memory_total: 4096,
                memory_available: 1024,
            }),
        };
        let tracked = Tracked {
            tasks: BTreeMap::from([(arn("abc"), tracked.collect())]),
        };
        let usage = self.book.record(&tracked, round, at);
        self.hours.record(&usage);
        usage
    }

    /// The same for one container, read each time.
    fn app(&mut self, read: Read) -> TaskUsage {
        task(&self.round(&[("app", read.id, Some(read))])).clone()
    }
}

fn key() -> TaskArn {
    arn("abc")
}

fn task(usage: &UsageSnapshot) -> &TaskUsage {
    usage.tasks.get(&key()).unwrap()
}

fn cpus(usage: &TaskUsage) -> Option<f64> {
    usage.rates.map(|rates| rates.cpus)
}

#[test]
fn two_readings_make_a_rate() {
    let mut play = Play::default();
    let first = play.app(read("a1", 10));
    assert_eq!((cpus(&first), first.totals.cpu_ns), (None, 10 * SECOND));
    let second = play.app(read("a1", 15));
    assert_eq!(cpus(&second), Some(1.0), "5 s of CPU time in 5 s");
    assert_eq!((second.memory, second.pids), (600, 2));
    let app = second.containers.get(&name("app")).unwrap();
    let (latest, previous) = (app.latest.as_ref(), app.previous.as_ref());
    assert_eq!(latest.unwrap().cpu.total_ns, 15 * SECOND);
    assert_eq!(previous.unwrap().cpu.total_ns, 10 * SECOND);
    assert_eq!(latest.unwrap().at, UnixMillis(1_700_000_005_000));
}

#[test]
fn a_restart_makes_no_rate_and_totals_go_on() {
    for other in ["a1", "b2"] {
        let mut play = Play::default();
        play.app(read("a1", 10));
        // The same container once more, or another in its place.
        let after = play.app(read(other, 2));
        assert_eq!(cpus(&after), None, "{other}");
        assert_eq!(after.totals.cpu_ns, 12 * SECOND, "{other}");
        let app = after.containers.get(&name("app")).unwrap();
        assert_eq!(app.previous, None, "not of the same run");
        let later = play.app(read(other, 4));
        assert_eq!(cpus(&later), Some(0.4), "{other}");
        assert_eq!(later.totals.cpu_ns, 14 * SECOND, "{other}");
    }
}

#[test]
fn totals_outlive_a_time_without_containers() {
    let mut play = Play::default();
    play.app(read("a1", 10));
    let between = play.round(&[]);
    assert_eq!(task(&between).totals.cpu_ns, 10 * SECOND);
    assert_eq!((task(&between).memory, cpus(task(&between))), (0, None));
    assert_eq!(play.app(read("a1", 11)).totals.cpu_ns, 11 * SECOND);
    play.round(&[]);
    assert_eq!(play.app(read("a1", 3)).totals.cpu_ns, 14 * SECOND);
}

#[test]
fn what_cannot_be_read_keeps_its_last_reading() {
    let mut play = Play::default();
    let unread = play.round(&[("app", "a1", None)]);
    assert!(unread.is_incomplete());
    let id = DockerId::parse("a1").unwrap();
    assert_eq!(unread.container(&key(), &id).unwrap().latest, None);
    play.app(read("a1", 10));
    let usage = play.app(read("a1", 11));
    let kept = play.round(&[("app", "a1", None)]);
    assert_eq!(task(&kept), &usage);
    assert!(!kept.is_incomplete());
    let stranger = DockerId::parse("cc").unwrap();
    assert_eq!(kept.container(&key(), &stranger), None);
}

#[test]
fn a_shared_network_counts_once() {
    let mut play = Play::default();
    let both = |play: &mut Play, app: u64, bytes: u64| {
        let with = |id, cpu| {
            Some(Read {
                id,
                cpu,
                network: Some((7, bytes)),
            })
        };
        let usage = play.round(&[
            ("app", "a1", with("a1", app)),
            ("side", "b2", with("b2", 1)),
        ]);
        task(&usage).clone()
    };
    both(&mut play, 10, 1000);
    let usage = both(&mut play, 11, 2000);
    assert_eq!((usage.totals.rx_bytes, usage.totals.tx_bytes), (2000, 1000));
    assert_eq!(usage.rates.map(|rates| rates.rx_bytes), Some(200.0));
    // One of the two begins anew; the network goes on, and the other shows its rate.
    let usage = both(&mut play, 0, 3000);
    assert_eq!(usage.totals.rx_bytes, 3000);
    assert_eq!(usage.rates.map(|rates| rates.rx_bytes), Some(200.0));
}

#[test]
fn an_untracked_task_is_forgotten() {
    let mut play = Play::default();
    play.app(read("a1", 10));
    let empty = play.book.record(
        &Tracked::default(),
        UsageRound::default(),
        UnixMillis(1_700_000_000_000),
    );
    assert!(empty.tasks.is_empty());
    play.hours.record(&empty);
    assert!(play.hours.tasks.is_empty());
    assert_eq!(play.app(read("a1", 10)).totals.cpu_ns, 10 * SECOND);
}

#[test]
fn the_host_is_busy_by_so_many_cpus() {
    let mut play = Play::default();
    let host = |usage: &UsageSnapshot| usage.host.unwrap().busy_cpus;
    assert_eq!(host(&play.round(&[])), None);
    assert_eq!(host(&play.round(&[])), Some(1.0));
}

#[test]
fn ten_seconds_make_a_point_and_an_hour_is_kept() {
    let mut play = Play::default();
    for round in 0..=1000 {
        play.app(read("a1", round));
    }
    let history = play.hours.tasks.get(&key()).unwrap();
    let points: Vec<_> = history.points().collect();
    assert_eq!(points.len(), 360);
    let last = points.last().unwrap();
    assert_eq!(last.at_secs, 1_700_005_000);
    assert_eq!(points.first().unwrap().at_secs, 1_700_005_000 - 3590);
    assert!(points.iter().all(|point| point.cpu_millis == 200));
    assert_eq!(last.memory_kib, 0, "600 bytes");
    let host = play.hours.host.points().last().unwrap();
    assert_eq!((host.cpu_millis, host.memory_kib), (1000, 3));
    assert_eq!(size_of::<super::Point>(), 28, "the header's arithmetic");
}

#[test]
fn a_point_does_not_take_in_what_was_used_before_it_was_looked() {
    let mut play = Play::default();
    for round in 0..3 {
        play.app(read("a1", 1_000_000 + round));
    }
    let points: Vec<_> = play.hours.tasks[&key()].points().collect();
    assert_eq!(points.len(), 1);
    assert_eq!(points.first().unwrap().cpu_millis, 200);
}

#[test]
fn a_task_that_could_never_be_read_has_no_points() {
    let mut play = Play::default();
    for _ in 0..4 {
        play.round(&[("app", "a1", None)]);
    }
    assert!(play.hours.tasks.is_empty());
}

#[test]
fn rates_need_time_and_one_run() {
    let at = |cpu, seconds| sample(read("a1", cpu), Duration::from_secs(seconds));
    assert_eq!(Rates::between(&at(1, 5), &at(2, 5)), None);
    assert_eq!(Rates::between(&at(1, 5), &at(2, 4)), None, "backward");
    assert_eq!(Rates::between(&at(2, 5), &at(1, 6)), None, "fell");
    let rates = Rates::between(&at(1, 5), &at(2, 9));
    assert_eq!(rates.map(|rates| rates.cpus), Some(0.25));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is read, in whatever order: totals never fall.
        #[test]
        fn totals_never_fall(
            rounds in proptest::collection::vec(
                proptest::option::of((0usize..3, 0u64..50, proptest::option::of((0u64..3, 0u64..1000)))),
                1..40,
            ),
        ) {
            let mut play = Play::default();
            let mut last = Totals::default();
            for step in rounds {
                let usage = match step {
                    None => play.round(&[]),
                    Some((which, cpu, network)) => {
                        let id = ["a1", "b2", "c3"][which];
                        play.round(&[("app", id, Some(Read { id, cpu, network }))])
                    }
                };
                let now = task(&usage).totals;
                prop_assert!(now.cpu_ns >= last.cpu_ns);
                prop_assert!(now.rx_bytes >= last.rx_bytes && now.tx_bytes >= last.tx_bytes);
                last = now;
            }
        }
    }
}
