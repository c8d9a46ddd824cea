//! Somebody has set the clock: what waits goes on waiting for as long as it was to, so that nothing is given up, judged
//! or cleaned up for time that has not passed. A host without a clock of its own begins in the past, and its clock is
//! set forward by days when the network is there.
//!
//! **Invariant.** Only instants that the engine took from its own clock are set along. Docker's stay as Docker tells
//! them, since they say which run of a container is meant.

use crate::domain::ids::UnixMillis;
use crate::domain::status::ContainerStatus;
use crate::domain::task::KnownTask;

use super::draft::Draft;
use super::observe::Hints;

impl Draft<'_> {
    /// The clock was set forward by so many milliseconds, or back, after everything in this draft was written down.
    pub fn clock_was_set(&mut self, millis: i64) {
        if millis == 0 {
            return;
        }
        self.hints.clock_was_set(&self.known, millis, self.now);
        let past = |at| past(at, millis, self.now);
        let known = &mut self.known;
        known.stopped_at = known.stopped_at.map(past);
        for condition in &mut known.conditions {
            condition.since = past(condition.since);
            condition.deadline = condition.deadline.map(|at| at.set_forward(millis));
        }
        for container in known.containers.values_mut() {
            container.settles_at = container.settles_at.map(|at| at.set_forward(millis));
            if container.status != ContainerStatus::Stopped {
                container.stop_requested_at = container.stop_requested_at.map(past);
            }
        }
        let containers = known.containers.values_mut().map(|it| &mut it.retry);
        let resources = known.resources.values_mut().map(|it| &mut it.retry);
        for retry in containers.chain(resources).flatten() {
            retry.not_before = retry.not_before.set_forward(millis);
        }
    }
}

impl Hints {
    /// The same for what is in no row; `known` says of first starts what Docker's clock said.
    pub fn clock_was_set(&mut self, known: &KnownTask, millis: i64, now: UnixMillis) {
        if millis == 0 {
            return;
        }
        for (name, container) in &known.containers {
            if let Some(started) = container.started_at {
                let began = self.began.entry(name.clone()).or_insert(started);
                *began = past(*began, millis, now);
            }
        }
        let signals = self.signalled_at.values_mut();
        for at in signals.chain(self.failing_since.values_mut()) {
            *at = past(*at, millis, now);
        }
    }
}

/// What was written down by yet another clock, of an earlier boot, is no later than now either.
fn past(at: UnixMillis, millis: i64, now: UnixMillis) -> UnixMillis {
    at.set_forward(millis).min(now)
}
