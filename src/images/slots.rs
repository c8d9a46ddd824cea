//! Who may pull now: a queue in front of a limit that the governor moves.
//!
//! Images that an essential container waits for come first, then in order of arrival. A pull that is silent lends its
//! slot to the next (bounded by [`MAX_LENT`]), so that a dead registry cannot hold up the others.
//!
//! **Invariants.** Every slot is given back when its [`Slot`] is dropped, also one that was granted to somebody who had
//! gone. The lock is held over no await.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Silent pulls that may have lent their slot at once: two full rounds of the largest usual limit.
const MAX_LENT: usize = 16;

/// The queue.
#[derive(Debug)]
pub(super) struct Slots {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    limit: usize,
    active: usize,
    lent: usize,
    next_ticket: u64,
    moved_bytes: u64,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    key: String,
    essential: bool,
    grant: oneshot::Sender<Slot>,
}

/// Leave to pull.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    lent: bool,
}

/// How busy the slots are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// Slots held.
    pub(super) active: usize,
    /// Pulls that wait.
    pub(super) waiting: usize,
    /// Bytes that all pulls have moved since the start.
    pub(super) moved_bytes: u64,
}

impl Slots {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                limit,
                active: 0,
                lent: 0,
                next_ticket: 0,
                moved_bytes: 0,
                waiting: Vec::new(),
            }),
        })
    }

    /// Waits for a slot. Cancel safe: a dropped future leaves the queue.
    pub(super) async fn acquire(self: &Arc<Self>, key: &str, essential: bool) -> Slot {
        loop {
            let (grant, granted) = oneshot::channel();
            {
                let mut inner = self.lock();
                let ticket = inner.next_ticket;
                inner.next_ticket = ticket.saturating_add(1);
                inner.waiting.push(Waiting {
                    ticket,
                    key: key.to_owned(),
                    essential,
                    grant,
                });
            }
            self.grant();
            // The sender is only dropped with the queue, which `self` keeps; asking again is as good as an error.
            if let Ok(slot) = granted.await {
                return slot;
            }
        }
    }

    /// An essential container waits for that image too.
    pub(super) fn promote(&self, key: &str) {
        let mut inner = self.lock();
        for waiting in inner.waiting.iter_mut().filter(|w| w.key == key) {
            waiting.essential = true;
        }
    }

    /// Keys in the order in which they will pull.
    pub(super) fn order(&self) -> Vec<String> {
        let mut inner = self.lock();
        inner.waiting.retain(|waiting| !waiting.grant.is_closed());
        let mut order: Vec<_> = inner.waiting.iter().collect();
        order.sort_by_key(|waiting| waiting.rank());
        order.iter().map(|waiting| waiting.key.clone()).collect()
    }

    pub(super) fn set_limit(self: &Arc<Self>, limit: usize) {
        self.lock().limit = limit.max(1);
        self.grant();
    }

    pub(super) fn load(&self) -> Load {
        let inner = self.lock();
        let waiting = inner.waiting.iter().filter(|w| !w.grant.is_closed());
        Load {
            active: inner.active,
            waiting: waiting.count(),
            moved_bytes: inner.moved_bytes,
        }
    }

    /// Gives free slots to the first in the queue.
    fn grant(self: &Arc<Self>) {
        while let Some(grant) = self.take_next() {
            let slot = Slot {
                slots: Arc::clone(self),
                lent: false,
            };
            // Whoever has gone hands the slot back here, outside the lock, where it is dropped.
            drop(grant.send(slot));
        }
    }

    fn take_next(&self) -> Option<oneshot::Sender<Slot>> {
        let mut inner = self.lock();
        if inner.active >= inner.limit {
            return None;
        }
        inner.waiting.retain(|waiting| !waiting.grant.is_closed());
        let ranked = inner.waiting.iter().enumerate();
        let (first, _) = ranked.min_by_key(|(_, waiting)| waiting.rank())?;
        let waiting = inner.waiting.swap_remove(first);
        inner.active = inner.active.saturating_add(1);
        Some(waiting.grant)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn rank(&self) -> (bool, u64) {
        (!self.essential, self.ticket)
    }
}

impl Slot {
    /// Lets another pull run while this one is silent; without effect when too many have done so.
    pub(super) fn lend(&mut self) {
        {
            let mut inner = self.slots.lock();
            if self.lent || inner.lent >= MAX_LENT {
                return;
            }
            inner.active = inner.active.saturating_sub(1);
            inner.lent = inner.lent.saturating_add(1);
        }
        self.lent = true;
        self.slots.grant();
    }

    /// The pull moves again, by so many bytes. It counts again, if need be beyond the limit for a while.
    pub(super) fn moved(&mut self, bytes: u64) {
        let mut inner = self.slots.lock();
        inner.moved_bytes = inner.moved_bytes.saturating_add(bytes);
        if self.lent {
            inner.lent = inner.lent.saturating_sub(1);
            inner.active = inner.active.saturating_add(1);
        }
        drop(inner);
        self.lent = false;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        {
            let mut inner = self.slots.lock();
            let count = if self.lent {
                &mut inner.lent
            } else {
                &mut inner.active
            };
            *count = count.saturating_sub(1);
        }
        self.slots.grant();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;

    use super::*;

    /// Joins the queue without waiting.
    fn join(slots: &Arc<Slots>, key: &'static str, essential: bool) -> BoxFuture<'static, Slot> {
        let slots = Arc::clone(slots);
        let mut future = async move { slots.acquire(key, essential).await }.boxed();
        assert!((&mut future).now_or_never().is_none(), "{key} had to wait");
        future
    }

    #[tokio::test]
    async fn essential_images_come_first_then_the_order_of_arrival() {
        let slots = Slots::new(1);
        let running = slots.acquire("running", false).await;
        let _a = join(&slots, "a", false);
        let gone = join(&slots, "gone", true);
        let b = join(&slots, "b", true);
        let _c = join(&slots, "c", false);
        slots.promote("c");
        drop(gone);
        assert_eq!(slots.order(), ["b", "c", "a"]);
        drop(running);
        let _b = b.await;
        assert_eq!(slots.order(), ["c", "a"]);
    }

    #[tokio::test]
    async fn a_slot_granted_to_somebody_who_has_gone_goes_to_the_next() {
        let slots = Slots::new(1);
        let running = slots.acquire("running", false).await;
        let gone = join(&slots, "gone", false);
        let next = join(&slots, "next", false);
        drop(running);
        drop(gone);
        let _next = next.await;
        assert_eq!(slots.load().active, 1);
    }

    #[tokio::test]
    async fn a_silent_pull_lends_its_slot_and_counts_again_when_it_moves() {
        let slots = Slots::new(1);
        let mut silent = slots.acquire("silent", false).await;
        let next = join(&slots, "next", false);
        silent.lend();
        let next = next.await;
        silent.moved(7);
        assert_eq!((slots.load().active, slots.load().moved_bytes), (2, 7));
        drop((silent, next));
        assert_eq!(slots.load().active, 0);
    }

    #[tokio::test]
    async fn a_higher_limit_lets_the_next_begin() {
        let slots = Slots::new(1);
        let _first = slots.acquire("first", false).await;
        let second = join(&slots, "second", false);
        slots.set_limit(2);
        let _second = second.await;
        assert_eq!(slots.load().active, 2);
    }
}
