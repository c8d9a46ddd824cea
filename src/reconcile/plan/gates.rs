//! When a container may be created: `dependsOn`, with the reference agent's rules for what can never come true
//! (`engine.md` 2.8).

use crate::domain::depends_on::{Condition, Dependency};
use crate::domain::ids::{ContainerName, UnixMillis};
use crate::domain::status::{ContainerStatus, Health};
use crate::domain::task::KnownContainer;

/// What a dependency says to the container that waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Go on.
    Open,
    /// Wait; past the instant, if there is one, it has timed out.
    Closed {
        /// What is awaited, in words.
        words: String,
        /// `startTimeout` of the dependency.
        deadline: Option<UnixMillis>,
    },
    /// It can never open; the reference agent's words.
    Never(String),
}

/// The dependency as it stands.
pub(super) struct Dependee<'a> {
    /// What is known of it.
    pub(super) known: &'a KnownContainer,
    /// The end of its `startTimeout`, by the clock as it is set now; `None` = it has not started, or has none.
    pub(super) deadline: Option<UnixMillis>,
    /// Whether the task is being stopped, so that it will not be started any more.
    pub(super) stopping: bool,
}

/// Evaluates one edge of `target`.
pub(super) fn evaluate(
    target: &ContainerName,
    edge: &Dependency,
    dependee: &Dependee<'_>,
    now: UnixMillis,
) -> Gate {
    let known = dependee.known;
    let stopped = known.status == ContainerStatus::Stopped;
    let code = known
        .exit
        .as_ref()
        .and_then(|exit| exit.code)
        .filter(|_| stopped);
    // A container that ended without ever having run met no condition, whatever exit code it was given for that.
    let never_ran = stopped && known.started_at.is_none();
    let never_was = stopped && known.docker_id.is_none() && !known.removed;
    let open = match edge.condition {
        Condition::Create => known.status >= ContainerStatus::Created && !never_was,
        Condition::Start | Condition::Complete if never_ran => false,
        Condition::Start => known.status >= ContainerStatus::Running,
        Condition::Complete => code.is_some(),
        Condition::Success => code == Some(0),
        Condition::Healthy => {
            known.status == ContainerStatus::Running && known.health == Health::Healthy
        }
    };
    if open {
        return Gate::Open;
    }
    let head = format!(
        "container ordering dependency [{}] for target [{target}]",
        edge.container
    );
    if edge.condition == Condition::Success && stopped {
        return Gate::Never(format!(
            "dependency graph: failed to resolve {head} as dependency did not exit successfully."
        ));
    }
    let lost = stopped && matches!(edge.condition, Condition::Complete | Condition::Healthy);
    if never_ran || lost || (dependee.stopping && known.status < ContainerStatus::Running) {
        return Gate::Never(format!(
            "dependency graph: failed to resolve {head} because dependency will never start"
        ));
    }
    let waits_for_outcome = matches!(
        edge.condition,
        Condition::Success | Condition::Complete | Condition::Healthy
    );
    let deadline = dependee.deadline.filter(|_| waits_for_outcome);
    if deadline.is_some_and(|at| at <= now) {
        return Gate::Never(format!("dependency graph: {head} has timed out."));
    }
    Gate::Closed {
        words: words(edge, known),
        deadline,
    }
}

fn words(edge: &Dependency, known: &KnownContainer) -> String {
    let want = match edge.condition {
        Condition::Create => "to exist",
        Condition::Start => "to start",
        Condition::Complete => "to exit",
        Condition::Success => "to exit with code 0",
        Condition::Healthy => "to be HEALTHY",
    };
    let health = if edge.condition == Condition::Healthy && known.status == ContainerStatus::Running
    {
        format!(", its health is {}", known.health)
    } else {
        String::new()
    };
    let head = head(&edge.container);
    format!("{head}{want}; it is {}{health}", known.status)
}

/// The words of a wait for that container up to what is awaited of it.
fn head(dependency: &ContainerName) -> String {
    format!("waits for container {dependency} ")
}

/// Whether those are the words of a wait for that container.
pub(super) fn waits_for(words: &str, dependency: &ContainerName) -> bool {
    words.starts_with(&head(dependency))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::task::Exit;

    fn known(status: ContainerStatus) -> KnownContainer {
        let started = status >= ContainerStatus::Running;
        KnownContainer {
            status,
            started_at: started.then_some(UnixMillis(1_000)),
            ..KnownContainer::default()
        }
    }

    fn exited(code: Option<i64>) -> KnownContainer {
        let exit = Some(Exit {
            code,
            at: UnixMillis(2_000),
            oom_killed: false,
        });
        KnownContainer {
            exit,
            ..known(ContainerStatus::Stopped)
        }
    }

    fn gate(
        condition: Condition,
        known: &KnownContainer,
        timeout: Option<u64>,
        now: i64,
    ) -> &'static str {
        let edge = Dependency {
            container: ContainerName::parse("db").unwrap(),
            condition,
        };
        let dependee = Dependee {
            known,
            deadline: (known.started_at.zip(timeout))
                .map(|(at, timeout)| at.plus(Duration::from_secs(timeout))),
            stopping: false,
        };
        match evaluate(
            &ContainerName::parse("app").unwrap(),
            &edge,
            &dependee,
            UnixMillis(now),
        ) {
            Gate::Open => "open",
            Gate::Closed { deadline: None, .. } => "closed",
            Gate::Closed {
                deadline: Some(_), ..
            } => "closed until",
            Gate::Never(text) if text.ends_with("has timed out.") => "timed out",
            Gate::Never(text) if text.ends_with("did not exit successfully.") => "failed",
            Gate::Never(text) if text.ends_with("will never start") => "never",
            Gate::Never(text) => panic!("{text}"),
        }
    }

    #[test]
    fn the_conditions_as_a_table() {
        use Condition::{Complete, Create, Healthy, Start, Success};
        use ContainerStatus::{Created, None as Nothing, Running};
        let healthy = KnownContainer {
            health: Health::Healthy,
            ..known(Running)
        };
        let never_ran = KnownContainer {
            status: ContainerStatus::Stopped,
            ..KnownContainer::default()
        };
        let never_started = KnownContainer {
            started_at: None,
            ..exited(Some(143))
        };
        let rows = [
            (Create, known(Nothing), "closed"),
            (Create, known(Created), "open"),
            (Create, known(Running), "open"),
            (Start, known(Created), "closed"),
            (Start, known(Running), "open"),
            (Start, exited(Some(1)), "open"),
            (Complete, known(Running), "closed"),
            (Complete, exited(Some(1)), "open"),
            (Complete, exited(None), "never"),
            (Success, known(Running), "closed"),
            (Success, exited(Some(0)), "open"),
            (Success, exited(Some(1)), "failed"),
            (Success, exited(None), "failed"),
            (Healthy, known(Running), "closed"),
            (Healthy, healthy, "open"),
            (Healthy, exited(Some(0)), "never"),
            (Complete, never_ran.clone(), "never"),
            (Start, never_ran.clone(), "never"),
            (Create, never_ran.clone(), "never"),
            (Success, never_ran.clone(), "failed"),
            (Start, never_started.clone(), "never"),
            (Complete, never_started.clone(), "never"),
            (Success, never_started, "failed"),
            (Healthy, never_ran, "never"),
        ];
        for (condition, known, want) in rows {
            assert_eq!(
                gate(condition, &known, None, 5_000),
                want,
                "{condition} on {known:?}"
            );
        }
    }

    #[test]
    fn the_dependency_s_start_timeout_counts_from_its_first_start() {
        let running = known(ContainerStatus::Running);
        assert_eq!(
            gate(Condition::Healthy, &running, Some(5), 5_999),
            "closed until"
        );
        assert_eq!(
            gate(Condition::Healthy, &running, Some(5), 6_000),
            "timed out"
        );
        assert_eq!(
            gate(
                Condition::Healthy,
                &known(ContainerStatus::Created),
                Some(5),
                60_000
            ),
            "closed"
        );
    }
}
