//! Messages of the event stream.

use super::super::wire;
use super::container::{health_of, owner};
use crate::domain::ids::{DockerId, UnixMillis};
use crate::domain::runtime::{RuntimeEvent, RuntimeEventKind};

const NANOS_PER_MILLI: i64 = 1_000_000;

/// What people do with a container from outside that leaves its state as it is. Probes are `exec_…` three times each.
const WITHOUT_EFFECT: [&str; 10] = [
    "attach",
    "detach",
    "top",
    "resize",
    "commit",
    "copy",
    "export",
    "archive-path",
    "extract-to-dir",
    "prune",
];

/// An event about one of our containers; `None` if it is about something else, changes nothing, or lacks our labels.
pub(in super::super) fn event(message: &wire::Event) -> Option<RuntimeEvent> {
    if message.kind != "container" {
        return None;
    }
    let attributes = &message.actor.attributes;
    let (action, detail) = match message.action.split_once(':') {
        Some((action, detail)) => (action, detail.trim()),
        None => (message.action.as_str(), ""),
    };
    let kind = match action {
        "die" => RuntimeEventKind::Died {
            exit_code: attributes
                .get("exitCode")
                .and_then(|code| code.parse().ok()),
        },
        "destroy" => RuntimeEventKind::Destroyed,
        "kill" => RuntimeEventKind::Killed,
        "health_status" => RuntimeEventKind::Health(health_of(detail)),
        other if other.starts_with("exec_") || WITHOUT_EFFECT.contains(&other) => return None,
        _ => RuntimeEventKind::Changed,
    };
    let (task, container) = owner(attributes)?;
    let at = if message.time_nano == 0 {
        message.time.saturating_mul(1000)
    } else {
        message.time_nano / NANOS_PER_MILLI
    };
    Some(RuntimeEvent {
        id: DockerId::parse(&message.actor.id).ok()?,
        task,
        container,
        at: UnixMillis(at),
        kind,
    })
}
