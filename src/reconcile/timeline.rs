//! The end of a task's timeline in memory, so that telling it never waits for the store.
//!
//! **Invariants.** Entries are in the order of their sequence, each at most once; the newest [`TIMELINE_EVENTS`] are
//! kept. The store has the rest.

use std::collections::VecDeque;

use crate::boundary::store::StoredEvent;

/// Entries kept for each task: what a person reads. About 250 bytes each, so 100 tasks take 1.6 MB at most.
pub const TIMELINE_EVENTS: u32 = 64;

/// The end of one timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline(VecDeque<StoredEvent>);

impl Timeline {
    /// Adds what has just become durable.
    pub fn push(&mut self, event: StoredEvent) {
        if self
            .0
            .back()
            .is_none_or(|last| last.sequence < event.sequence)
        {
            self.0.push_back(event);
            self.trim();
        }
    }

    /// Adds what was durable before the first entry; what is there already is left out.
    pub fn recall(&mut self, earlier: Vec<StoredEvent>) {
        let first = self.0.front().map(|event| event.sequence);
        let earlier = earlier
            .into_iter()
            .filter(|event| first.is_none_or(|first| event.sequence < first));
        for event in earlier.rev() {
            self.0.push_front(event);
        }
        self.trim();
    }

    fn trim(&mut self) {
        let limit = usize::try_from(TIMELINE_EVENTS).unwrap_or(usize::MAX);
        self.0.drain(..self.0.len().saturating_sub(limit));
    }

    /// The last `count` entries, oldest first.
    pub fn last(&self, count: usize) -> impl Iterator<Item = &StoredEvent> {
        self.0.iter().skip(self.0.len().saturating_sub(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{TaskArn, UnixMillis};
    use crate::domain::task::TaskEvent;

    fn event(sequence: i64) -> StoredEvent {
        let arn = TaskArn::parse("arn:aws:ecs:local:000000000000:task/default/a");
        StoredEvent {
            sequence,
            event: TaskEvent {
                arn: arn.expect("an arn"),
                at: UnixMillis(sequence),
                container: None,
                kind: "Started".to_owned(),
                message: String::new(),
            },
        }
    }

    fn sequences(timeline: &Timeline, count: usize) -> Vec<i64> {
        timeline.last(count).map(|event| event.sequence).collect()
    }

    #[test]
    fn what_was_before_comes_before_what_came_since_and_each_once() {
        let mut timeline = Timeline::default();
        timeline.push(event(5));
        timeline.push(event(6));
        timeline.recall([2, 3, 5].map(event).to_vec());
        timeline.push(event(6));
        assert_eq!(sequences(&timeline, 9), [2, 3, 5, 6]);
        assert_eq!(sequences(&timeline, 2), [5, 6]);
        assert_eq!(sequences(&timeline, 0), [0; 0]);
    }

    #[test]
    fn the_newest_are_kept() {
        let mut timeline = Timeline::default();
        timeline.recall((1..=100).map(event).collect());
        for sequence in 101..=110 {
            timeline.push(event(sequence));
        }
        let kept = sequences(&timeline, 1_000);
        let limit = usize::try_from(TIMELINE_EVENTS).expect("small");
        assert_eq!((kept.len(), kept.last()), (limit, Some(&110)));
    }
}
