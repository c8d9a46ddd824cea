//! The last hour, one point every ten seconds.
//!
//! A point has 28 bytes, so a task's hour has 10 KiB and 100 tasks' 1 MiB. The host has one more. Tasks that end
//! take their history with them.

use std::collections::VecDeque;
use std::time::Duration;

use super::rates::Rates;
use super::totals::Totals;
use crate::domain::ids::UnixMillis;

/// Time between two points.
pub const RESOLUTION: Duration = Duration::from_secs(10);

/// Points that are kept: an hour of them.
pub const MAX_POINTS: usize = 360;

/// What was used between the point before and this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// End of that time, in seconds since 1970.
    pub at_secs: u32,
    /// CPUs in use on average, in thousandths of one.
    pub cpu_millis: u32,
    /// Largest working set, in KiB.
    pub memory_kib: u32,
    /// Bytes received in a second, on average.
    pub rx_bytes: u32,
    /// Bytes sent in a second, on average.
    pub tx_bytes: u32,
    /// Bytes read from block devices in a second, on average.
    pub read_bytes: u32,
    /// Bytes written to block devices in a second, on average.
    pub written_bytes: u32,
}

/// Points in the order of time, and the one that is being made.
#[derive(Clone, Debug, Default)]
pub struct History {
    points: VecDeque<Point>,
    began: Option<Began>,
    memory: u64,
}

/// Where the point that is being made began.
#[derive(Clone, Copy, Debug)]
struct Began {
    taken: Duration,
    totals: Totals,
}

/// What is known after a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// By the wall clock.
    pub(super) at: UnixMillis,
    /// By the clock that does not jump.
    pub(super) taken: Duration,
    /// Counters that never fall.
    pub(super) totals: Totals,
    /// Bytes in use.
    pub(super) memory: u64,
}

impl History {
    /// The points, oldest first.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        self.points.iter().copied()
    }

    /// Takes a moment in; one in [`RESOLUTION`] completes a point.
    pub(super) fn add(&mut self, moment: Moment) {
        self.memory = self.memory.max(moment.memory);
        let here = Began {
            taken: moment.taken,
            totals: moment.totals,
        };
        let Some(began) = self.began else {
            self.began = Some(here);
            return;
        };
        let elapsed = moment.taken.saturating_sub(began.taken);
        if elapsed < RESOLUTION {
            return;
        }
        let counted = moment.totals.grown_since(began.totals);
        if let Some(rates) = Rates::of(counted, elapsed) {
            self.push(point(moment.at, rates, self.memory));
        }
        self.began = Some(here);
        self.memory = moment.memory;
    }

    fn push(&mut self, point: Point) {
        if self.points.capacity() == 0 {
            self.points.reserve_exact(MAX_POINTS);
        }
        if self.points.len() >= MAX_POINTS {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }
}

fn point(at: UnixMillis, rates: Rates, memory: u64) -> Point {
    let whole = |value: f64| to_u32(value.round());
    Point {
        at_secs: u32::try_from(at.0 / 1000).unwrap_or(0),
        cpu_millis: whole(rates.cpus * 1000.0),
        memory_kib: u32::try_from(memory / 1024).unwrap_or(u32::MAX),
        rx_bytes: whole(rates.rx_bytes),
        tx_bytes: whole(rates.tx_bytes),
        read_bytes: whole(rates.read_bytes),
        written_bytes: whole(rates.written_bytes),
    }
}

/// The nearest value that fits: beyond 4 GB a second a plot has no use for more.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the standard library has no other way from a float; `as` gives the nearest bound"
)]
fn to_u32(value: f64) -> u32 {
    value as u32
}
