//! What the engine tells of itself, and how it can be lost, late, doubled or out of order on the way.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::ids::DockerId;
use crate::domain::runtime::{RuntimeEvent, RuntimeEventKind};

use super::model::{Container, World};

/// How many events pile up before they come in the wrong order.
const PILE: usize = 3;

/// How long a smaller pile waits.
const PILE_WAIT: Duration = Duration::from_secs(1);

/// What becomes of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventFate {
    /// Each comes at once, in order.
    #[default]
    Deliver,
    /// None comes.
    Drop,
    /// Each comes twice.
    Repeat,
    /// Each comes after this time.
    Delay(Duration),
    /// They come a few at a time, the last first.
    Reorder,
}

impl World {
    pub(super) fn emit_about(&self, id: &DockerId, kind: RuntimeEventKind) {
        let container = self.lock().containers.get(id.as_str()).cloned();
        if let Some(container) = container {
            self.emit(&container, kind);
        }
    }

    pub(super) fn emit(&self, container: &Container, kind: RuntimeEventKind) {
        let event = RuntimeEvent {
            id: container.id.clone(),
            task: container.task.clone(),
            container: container.name.clone(),
            at: self.clock.now(),
            kind,
        };
        let fate = {
            let inner = self.lock();
            if inner.down {
                EventFate::Drop
            } else {
                inner.event_fate
            }
        };
        match fate {
            EventFate::Drop => {}
            EventFate::Deliver => self.deliver(event),
            EventFate::Repeat => {
                self.deliver(event.clone());
                self.deliver(event);
            }
            EventFate::Delay(time) => self.hold(event, time),
            EventFate::Reorder => {
                self.hold(event, PILE_WAIT);
                if self.lock().held_events.len() >= PILE {
                    self.let_held_go(Instant::now() + PILE_WAIT);
                }
            }
        }
    }

    fn deliver(&self, event: RuntimeEvent) {
        // Nobody need listen.
        let _listeners = self.events.send(event);
    }

    fn hold(&self, event: RuntimeEvent, time: Duration) {
        let due = Instant::now() + time;
        self.lock().held_events.push((due, event));
    }

    /// Lets late events come that are due by then.
    pub(super) fn let_held_go(&self, by: Instant) {
        let mut due = {
            let mut inner = self.lock();
            let all = std::mem::take(&mut inner.held_events);
            let (due, late): (Vec<_>, Vec<_>) = all.into_iter().partition(|(at, _)| *at <= by);
            inner.held_events = late;
            if inner.down {
                return;
            }
            if inner.event_fate == EventFate::Reorder {
                due.into_iter().rev().collect()
            } else {
                due
            }
        };
        for (_, event) in due.drain(..) {
            self.deliver(event);
        }
    }
}
