//! Statistics as bodies: of one container, and of all of a task by Docker id.

use bytes::Bytes;

use crate::api::view::{SeenContainer, SeenTask};
use crate::boundary::stats::{ContainerStats, StatsView};

/// Which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Versions 2 and 3: nothing is `null`, no rates.
    Classic,
    /// Version 4: nothing is `{}`.
    V4,
}

impl Form {
    fn nothing(self) -> &'static [u8] {
        match self {
            Self::Classic => b"null",
            Self::V4 => b"{}",
        }
    }
}

/// Of one container; `None` = it is not tracked.
pub(super) fn of_container(
    stats: &dyn ContainerStats,
    container: &SeenContainer,
    form: Form,
) -> Option<Bytes> {
    let id = container.docker_id.as_ref()?;
    match (stats.stats(id), form) {
        (StatsView::Untracked, _) => None,
        (StatsView::NoSample, form) => Some(Bytes::from_static(form.nothing())),
        (StatsView::Sample { classic, .. }, Form::Classic) => Some(classic),
        (StatsView::Sample { with_rates, .. }, Form::V4) => Some(with_rates),
    }
}

/// Of all containers of the task; `None` = none is tracked.
pub(super) fn of_task(stats: &dyn ContainerStats, task: &SeenTask, form: Form) -> Option<Bytes> {
    let mut tracked = false;
    let mut body = Vec::from(*b"{");
    for container in &task.containers {
        let Some(id) = &container.docker_id else {
            continue;
        };
        let found = of_container(stats, container, form);
        tracked |= found.is_some();
        if body.len() > 1 {
            body.push(b',');
        }
        // Hexadecimal digits need no escapes.
        body.extend_from_slice(format!("\"{id}\":").as_bytes());
        body.extend_from_slice(found.as_deref().unwrap_or(form.nothing()));
    }
    body.push(b'}');
    tracked.then(|| body.into())
}
