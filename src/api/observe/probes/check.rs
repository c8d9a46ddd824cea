//! What is looked at to say whether the agent is ready and healthy. Pure.

use std::time::Duration;

use crate::domain::ids::UnixMillis;
use crate::reconcile::snapshot::EngineView;

/// Age at which the last full list of containers is too old to be trusted: it is made every five seconds at the
/// slowest, and takes less than one where Docker is well.
const STALE_LIST: Duration = Duration::from_mins(1);

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Name for programs: `docker`, `state`, …
    pub name: &'static str,
    /// How it is.
    pub status: CheckStatus,
    /// Since when, where that is known.
    pub since: Option<UnixMillis>,
    /// How it is, in words.
    pub message: String,
    /// What somebody could do about it.
    pub hint: Option<&'static str>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckStatus {
    /// As it should be.
    Pass,
    /// Somebody should look at it; the agent works.
    Warn,
    /// The agent cannot do its work.
    Fail,
}

impl Check {
    /// All is well.
    pub fn pass(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            name,
            status: CheckStatus::Pass,
            since: None,
            message: message.into(),
            hint: None,
        }
    }

    /// Somebody should look at it.
    pub fn warn(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: CheckStatus::Warn,
            ..Self::pass(name, message)
        }
    }

    /// The agent cannot do its work.
    pub fn fail(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: CheckStatus::Fail,
            ..Self::pass(name, message)
        }
    }

    /// With what somebody could do about it.
    #[must_use]
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    fn since(mut self, since: Option<UnixMillis>) -> Self {
        self.since = since;
        self
    }
}

/// Docker, the list of containers, the state, what was set aside, and whether new tasks start.
pub(super) fn engine_checks(engine: &EngineView, now: UnixMillis) -> Vec<Check> {
    vec![
        docker(engine),
        containers(engine, now),
        state(engine),
        damage(engine),
        placement(engine),
    ]
}

fn docker(engine: &EngineView) -> Check {
    const HINT: &str = "look at the Docker service; tasks keep their last known state meanwhile";
    match (&engine.runtime_error, &engine.host) {
        (Some(error), _) => Check::fail("docker", format!("Docker does not answer: {error}"))
            .since(engine.runtime_answered_at)
            .hint(HINT),
        (None, None) => Check::fail("docker", "Docker has not answered yet").hint(HINT),
        (None, Some(host)) => Check::pass("docker", format!("Docker {}", host.runtime_version)),
    }
}

fn containers(engine: &EngineView, now: UnixMillis) -> Check {
    let name = "containers";
    match engine.relisted_at {
        None => Check::fail(name, "the containers of the host have not been listed yet"),
        Some(at) if now.since(at) > STALE_LIST => {
            let age = now.since(at).as_secs();
            let message = format!("the last full list of containers is {age} s old");
            Check::fail(name, message).since(Some(at))
        }
        Some(_) => Check::pass(name, "listed"),
    }
}

fn state(engine: &EngineView) -> Check {
    match &engine.store_error {
        Some(error) => Check::fail("state", format!("the state cannot be written: {error}"))
            .since(engine.committed_at)
            .hint(
                "look at the disk of the data directory; nothing is started or stopped meanwhile",
            ),
        None => Check::pass("state", "can be written"),
    }
}

fn damage(engine: &EngineView) -> Check {
    match engine.damage.as_slice() {
        [] => Check::pass("damage", "nothing was set aside at start"),
        lines => Check::warn(
            "damage",
            format!("set aside at start: {}", lines.join("; ")),
        ),
    }
}

/// An instance that drains is ready all the same: it does what it was told, and its tasks are served.
fn placement(engine: &EngineView) -> Check {
    match &engine.draining {
        Some(draining) => Check::warn("placement", draining.words())
            .since(Some(draining.since))
            .hint("`berth drain --undo` lets tasks start again"),
        None => Check::pass("placement", "new tasks start"),
    }
}
