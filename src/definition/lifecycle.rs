//! When a container starts relative to others, and when it starts again.

use std::time::Duration;

use super::context::Context;
use super::reader::{Cursor, Kind, quote};
use super::sizes::Quantity;
use super::volumes::read_container_ref;
use crate::domain::definition::{Link, RestartPolicy};
use crate::domain::depends_on::{Condition, Dependency};
use crate::domain::ids::ContainerName;

static DEPENDENCY: Kind = Kind {
    name: "a dependency",
    fields: &["containerName", "condition"],
    ignored: &[],
    sibling: None,
};

static RESTART_POLICY: Kind = Kind {
    name: "a restart policy",
    fields: &["enabled", "ignoredExitCodes", "restartAttemptPeriod"],
    ignored: &[],
    sibling: None,
};

/// Conditions people write, then the one that only the agent itself stores.
const CONDITIONS: [(&str, Condition); 5] = [
    ("START", Condition::Start),
    ("COMPLETE", Condition::Complete),
    ("SUCCESS", Condition::Success),
    ("HEALTHY", Condition::Healthy),
    ("CREATE", Condition::Create),
];

/// ECS' default of `restartAttemptPeriod`, in seconds.
const RESTART_ATTEMPT_PERIOD_SECS: u32 = 300;

/// Most entries of `ignoredExitCodes` (register-task-definition).
const MAX_IGNORED_EXIT_CODES: usize = 50;

/// Reads one entry of `dependsOn`.
pub(super) fn read_dependency(cursor: &Cursor<'_>, context: &Context) -> Option<Dependency> {
    let object = cursor.object(&DEPENDENCY)?;
    let container = object
        .required("containerName")
        .and_then(|cursor| read_container_ref(cursor, context));
    let written = CONDITIONS.len().saturating_sub(1);
    let table = if cursor.notes().checks_rules() {
        CONDITIONS.get(..written).unwrap_or(&CONDITIONS)
    } else {
        &CONDITIONS
    };
    let condition = object
        .required("condition")
        .and_then(|cursor| cursor.choice(table));
    let (container, condition) = (container?, condition?);
    let name = container.as_str();
    if condition == Condition::Healthy
        && context.containers.has(name)
        && !context.with_health_check.contains(name)
    {
        object.rule(
            "condition",
            format!("is HEALTHY, but container {name} has no healthCheck"),
        );
    }
    Some(Dependency {
        container,
        condition,
    })
}

/// Reads one entry of `links`: `container` or `container:alias`.
pub(super) fn read_link(cursor: &Cursor<'_>, context: &Context) -> Option<Link> {
    let text = cursor.text()?;
    let (name, alias) = text.split_once(':').unwrap_or((&text, &text));
    let container = ContainerName::parse(name).ok();
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    let container = container.filter(|_| !alias.is_empty() && alias.chars().all(good));
    let Some(container) = container else {
        cursor.error(format!(
            "must be container or container:alias, is {}",
            quote(&text)
        ));
        return None;
    };
    context.containers.check(cursor, name, "container");
    Some(Link {
        container,
        alias: alias.to_owned(),
    })
}

/// Reads `restartPolicy`; `None` if it is not enabled.
pub(super) fn read_restart_policy(cursor: &Cursor<'_>) -> Option<RestartPolicy> {
    let object = cursor.object(&RESTART_POLICY)?;
    let enabled = object.required("enabled").and_then(Cursor::flag);
    let ignored_exit_codes = object.each("ignoredExitCodes", |item| {
        item.number(Quantity::Count, i64::MIN..=i64::MAX)
    });
    if ignored_exit_codes.len() > MAX_IGNORED_EXIT_CODES {
        object.rule(
            "ignoredExitCodes",
            format!(
                "has {} codes, the limit is {MAX_IGNORED_EXIT_CODES}",
                ignored_exit_codes.len()
            ),
        );
    }
    let period = object
        .number("restartAttemptPeriod", Quantity::Count, 60..=1800)
        .unwrap_or(RESTART_ATTEMPT_PERIOD_SECS);
    enabled?.then(|| RestartPolicy {
        ignored_exit_codes,
        restart_attempt_period: Duration::from_secs(period.into()),
    })
}
