//! When which task is looked at: one entry a key, the earliest instant wins.
//!
//! **Invariants.** A key is held once, however often it is woken. A wake-up carries no data to act on. Only the
//! worker's loop reads the queue, so a key is never worked on twice at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ids::{TaskArn, UnixMillis};

/// Keys by the instant at which they are due.
#[derive(Debug, Default)]
pub struct Queue {
    due: BTreeMap<TaskArn, UnixMillis>,
    by_time: BTreeSet<(UnixMillis, TaskArn)>,
}

impl Queue {
    /// The key is due at that instant, or earlier if it was already.
    pub fn wake(&mut self, key: &TaskArn, at: UnixMillis) {
        match self.due.get(key) {
            Some(&earlier) if earlier <= at => {}
            Some(&later) => {
                self.by_time.remove(&(later, key.clone()));
                self.insert(key, at);
            }
            None => self.insert(key, at),
        }
    }

    fn insert(&mut self, key: &TaskArn, at: UnixMillis) {
        self.due.insert(key.clone(), at);
        self.by_time.insert((at, key.clone()));
    }

    /// Takes at most `limit` keys that are due, those first that have been so longest.
    pub fn take_due(&mut self, now: UnixMillis, limit: usize) -> Vec<TaskArn> {
        let keys: Vec<TaskArn> = self
            .by_time
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(limit)
            .map(|(_, key)| key.clone())
            .collect();
        for key in &keys {
            self.remove(key);
        }
        keys
    }

    /// The key is not waited for any more.
    pub fn remove(&mut self, key: &TaskArn) {
        if let Some(at) = self.due.remove(key) {
            self.by_time.remove(&(at, key.clone()));
        }
    }

    /// The earliest instant at which a key is due.
    pub fn next(&self) -> Option<UnixMillis> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Whether no key waits.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> TaskArn {
        TaskArn::parse(&format!("arn:aws:ecs:local:000000000000:task/default/{id}")).unwrap()
    }

    #[test]
    fn a_key_is_held_once_at_its_earliest_instant() {
        let mut queue = Queue::default();
        queue.wake(&key("a"), UnixMillis(30));
        queue.wake(&key("a"), UnixMillis(10));
        queue.wake(&key("a"), UnixMillis(20));
        assert_eq!((queue.len(), queue.next()), (1, Some(UnixMillis(10))));
        assert_eq!(queue.take_due(UnixMillis(9), 10), []);
        assert_eq!(queue.take_due(UnixMillis(10), 10), [key("a")]);
        assert!(queue.is_empty() && queue.next().is_none());
    }

    #[test]
    fn the_longest_due_come_first_and_the_rest_stay() {
        let mut queue = Queue::default();
        for (id, at) in [("c", 3), ("a", 1), ("b", 2), ("later", 99)] {
            queue.wake(&key(id), UnixMillis(at));
        }
        assert_eq!(queue.take_due(UnixMillis(50), 2), [key("a"), key("b")]);
        assert_eq!(queue.take_due(UnixMillis(50), 2), [key("c")]);
        assert_eq!(queue.next(), Some(UnixMillis(99)));
    }
}
