//! One lane a task: what is under way, what waits and until when. Pure.
//!
//! **Invariants.** At most one submission of a task at a time, and at most [`MAX_AT_ONCE`] in all. A task that ECS does
//! not take holds up no other. A limit on calls is of the account and concerns all: while ECS refuses for the number of
//! calls, there are fewer at once, down to one, with pauses between.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::domain::ids::TaskArn;
use crate::ecs::link::{Backoff, BackoffSettings, Chance};

/// Tasks that are submitted at once (reference agent).
pub(super) const MAX_AT_ONCE: usize = 10;

/// Waits after a submission that failed (reference agent: 1 s to 30 s, a third longer each time).
const BACKOFF: BackoffSettings = BackoffSettings {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(30),
    jitter_percent: 20,
    growth_percent: 130,
};

/// Pauses of all tasks after calls that were refused for their number; the longest is below the longest of one task, so
/// that what waits is told one after the other.
const PAUSE: BackoffSettings = BackoffSettings {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(5),
    jitter_percent: 20,
    growth_percent: 150,
};

/// How long news of containers wait for news of their task, and what chance adds.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(20));

#[derive(Debug)]
struct Lane {
    under_way: bool,
    backoff: Backoff,
    not_before: Option<Instant>,
    /// When news of containers alone are told.
    patient_until: Option<Instant>,
}

/// All lanes. A lane without anything to remember is not there.
#[derive(Debug)]
pub(super) struct Lanes {
    by_task: BTreeMap<TaskArn, Lane>,
    /// Submissions that may be under way now.
    places: usize,
    pause: Backoff,
    paused_until: Option<Instant>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            by_task: BTreeMap::new(),
            places: MAX_AT_ONCE,
            pause: Backoff::new(PAUSE),
            paused_until: None,
        }
    }
}

/// Whether the news of a task can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    Task,
    Containers,
}

impl Lanes {
    /// Whether the task's news may be submitted now; if so, it is under way from here on.
    pub(super) fn begin(
        &mut self,
        task: &TaskArn,
        urgency: Urgency,
        now: Instant,
        chance: Chance,
    ) -> bool {
        self.paused_until = self.paused_until.filter(|until| *until > now);
        let free = self.under_way() < self.places && self.paused_until.is_none();
        let lane = self.by_task.entry(task.clone()).or_insert_with(|| Lane {
            under_way: false,
            backoff: Backoff::new(BACKOFF),
            not_before: None,
            patient_until: None,
        });
        if lane.under_way || lane.not_before.is_some_and(|at| at > now) {
            return false;
        }
        if urgency == Urgency::Containers {
            let (least, most) = PATIENCE;
            let until = *lane
                .patient_until
                .get_or_insert(now + least + chance.of(most));
            if until > now {
                return false;
            }
        }
        lane.under_way = free;
        free
    }

    /// The submission was taken, or given up.
    pub(super) fn taken(&mut self, task: &TaskArn) {
        self.by_task.remove(task);
        self.places = MAX_AT_ONCE.min(self.places.saturating_add(1));
        self.paused_until = None;
        // Pauses stay long until calls are taken in a row: one that is taken now and then says little.
        if self.places == MAX_AT_ONCE {
            self.pause.reset();
        }
    }

    /// It was refused for the number of calls: the wait before the next of any task.
    pub(super) fn throttled(&mut self, task: &TaskArn, now: Instant, chance: Chance) -> Duration {
        if let Some(lane) = self.by_task.get_mut(task) {
            lane.under_way = false;
        }
        // One step for all that were under way together.
        if self.paused_until.is_none() {
            self.places = (self.places / 2).max(1);
            self.paused_until = Some(now + self.pause.wait(chance));
        }
        self.paused_until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// It failed: the wait before the next.
    pub(super) fn failed(&mut self, task: &TaskArn, now: Instant, chance: Chance) -> Duration {
        let Some(lane) = self.by_task.get_mut(task) else {
            return Duration::ZERO;
        };
        let wait = lane.backoff.wait(chance);
        lane.under_way = false;
        lane.not_before = Some(now + wait);
        wait
    }

    /// Nothing is to be told of the task any more.
    pub(super) fn settle(&mut self, task: &TaskArn) {
        if self.by_task.get(task).is_some_and(|lane| !lane.under_way) {
            self.by_task.remove(task);
        }
    }

    /// Tasks that are gone need no lane.
    pub(super) fn keep(&mut self, exists: impl Fn(&TaskArn) -> bool) {
        self.by_task
            .retain(|task, lane| lane.under_way || exists(task));
    }

    /// When something may be due that no news announces.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.under_way() >= self.places {
            // One that ends is news.
            return None;
        }
        let idle = self.by_task.values().filter(|lane| !lane.under_way);
        idle.filter_map(|lane| {
            lane.not_before
                .max(lane.patient_until)
                .max(self.paused_until)
        })
        .min()
    }

    pub(super) fn under_way(&self) -> usize {
        self.by_task.values().filter(|lane| lane.under_way).count()
    }
}
