//! A handle without a worker behind it: tests of drivers publish snapshots and answer commands themselves.
//!
//! **Invariant.** Only built for tests. The handle behaves as in the product: the same channels, the same limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::handle::{
    COMMAND_CAPACITY, Command, EVENT_CAPACITY, Given, HandleError, PutOutcome, PutTask,
    ReconcilerHandle,
};
use super::snapshot::Snapshot;
use crate::boundary::store::StoredEvent;
use crate::domain::ids::{Generation, TaskArn, UnixMillis};
use crate::domain::reason::Reason;
use crate::domain::task::Reported;

/// A handle, and the other end of it.
pub fn detached(snapshot: Snapshot) -> (ReconcilerHandle, DetachedEngine) {
    let (commands, inbox) = mpsc::channel(COMMAND_CAPACITY);
    let snapshot = Arc::new(ArcSwap::from_pointee(snapshot));
    let (counter, changed) = watch::channel(0);
    let (events, _) = broadcast::channel(EVENT_CAPACITY);
    let turned_at = Arc::new(AtomicI64::new(0));
    let handle = ReconcilerHandle {
        commands,
        snapshot: Arc::clone(&snapshot),
        changed,
        events: events.clone(),
        turned_at: Arc::clone(&turned_at),
    };
    let engine = DetachedEngine {
        inbox,
        publisher: Publisher {
            snapshot,
            counter,
            events,
            turned_at,
        },
    };
    (handle, engine)
}

/// Stands where the worker would. Dropping it is the engine's shutdown.
#[derive(Debug)]
pub struct DetachedEngine {
    inbox: mpsc::Receiver<Command>,
    publisher: Publisher,
}

/// What the engine shows.
#[derive(Clone, Debug)]
pub struct Publisher {
    snapshot: Arc<ArcSwap<Snapshot>>,
    counter: watch::Sender<u64>,
    events: broadcast::Sender<StoredEvent>,
    turned_at: Arc<AtomicI64>,
}

/// A command as a driver sent it.
#[derive(Debug)]
pub enum Asked {
    /// [`ReconcilerHandle::put`].
    Put(PutTask, Reply<PutOutcome>),
    /// [`ReconcilerHandle::put_given`] with something given.
    PutGiven(PutTask, Given, Reply<PutOutcome>),
    /// [`ReconcilerHandle::reported`].
    Reported(TaskArn, Reported, Reply<()>),
    /// [`ReconcilerHandle::stop`].
    Stop(TaskArn, Reason, Reply<Generation>),
    /// [`ReconcilerHandle::remove`].
    Remove(TaskArn, Reason, Reply<Generation>),
    /// [`ReconcilerHandle::drain`]; `None` = [`ReconcilerHandle::end_draining`].
    Drain(Option<String>, Reply<()>),
}

/// Answers one command.
#[derive(Debug)]
pub struct Reply<T>(oneshot::Sender<Result<T, HandleError>>);

impl<T> Reply<T> {
    /// Gives the answer; a caller that has gone away does not mind.
    pub fn send(self, answer: Result<T, HandleError>) {
        drop(self.0.send(answer));
    }
}

impl DetachedEngine {
    /// The next command; `None` once every handle is gone.
    pub async fn next(&mut self) -> Option<Asked> {
        loop {
            return Some(match self.inbox.recv().await? {
                Command::Put(task, given, reply) if given == Given::default() => {
                    Asked::Put(task, Reply(reply))
                }
                Command::Put(task, given, reply) => Asked::PutGiven(task, given, Reply(reply)),
                Command::Reported(arn, reported, _, reply) => {
                    Asked::Reported(arn, reported, Reply(reply))
                }
                Command::Stop(arn, reason, reply) => Asked::Stop(arn, reason, Reply(reply)),
                Command::Remove(arn, reason, reply) => Asked::Remove(arn, reason, Reply(reply)),
                Command::Drain(reason, reply) => Asked::Drain(reason, Reply(reply)),
                // Nobody waits for an answer.
                Command::ForgetImages(_) | Command::Region(_) => continue,
            });
        }
    }

    /// What the engine shows.
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }
}

impl Publisher {
    /// Makes this the state that readers see.
    pub fn publish(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
        self.counter
            .send_modify(|count| *count = count.saturating_add(1));
    }

    /// The state that readers see.
    pub fn shown(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Makes this the last turn of the engine's loop.
    pub fn turn(&self, at: UnixMillis) {
        self.turned_at.store(at.0, Ordering::Relaxed);
    }

    /// How many listen to events.
    pub fn listeners(&self) -> usize {
        self.events.receiver_count()
    }

    /// Tells an event to whoever listens now.
    pub fn emit(&self, event: StoredEvent) {
        // Nobody listening is no failure: events are in the store too.
        drop(self.events.send(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reason::ReasonName;

    #[tokio::test]
    async fn commands_reach_the_other_end_and_answers_come_back() {
        let (handle, mut engine) = detached(Snapshot::default());
        let arn = TaskArn::parse("arn:aws:ecs:local:000000000000:task/default/a").expect("an arn");
        let answering = async {
            match engine.next().await {
                Some(Asked::Stop(_, _, reply)) => reply.send(Ok(Generation(2))),
                other => panic!("asked for {other:?}"),
            }
        };
        let asking = handle.stop(&arn, Reason::new(ReasonName::UserInitiated, "test"));
        let (answer, ()) = tokio::join!(asking, answering);
        assert_eq!(answer, Ok(Generation(2)));
    }

    #[tokio::test]
    async fn a_dropped_engine_has_shut_down() {
        let (handle, engine) = detached(Snapshot::default());
        drop(engine);
        let arn = TaskArn::parse("arn:aws:ecs:local:000000000000:task/default/a").expect("an arn");
        let answer = handle
            .remove(&arn, Reason::new(ReasonName::UserInitiated, "test"))
            .await;
        assert_eq!(answer, Err(HandleError::Closed));
    }
}
