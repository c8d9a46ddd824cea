//! Decisions and changes as text.

use crate::domain::ids::{ContainerName, UnixMillis};
use crate::domain::runtime::RunState;
use crate::domain::status::Health;
use crate::domain::task::{
    KnownContainer, KnownResource, KnownTask, ResourceKey, Retry, TaskCondition, TaskEvent,
};
use crate::reconcile::action::{Action, Existing, Verb};
use crate::reconcile::draft::Draft;
use crate::reconcile::observe::Hints;
use crate::reconcile::plan::Plan;

use super::scene::{Scene, docker_id};
use super::words::seconds;

pub(super) fn taken_in(scene: &Scene, draft: &Draft<'_>) -> String {
    let mut lines = changes(&scene.task.known, &draft.known);
    lines.extend(hints(&scene.hints, &draft.hints));
    lines.extend(draft.events.iter().map(tell));
    lines.join("\n")
}

pub(super) fn planned(scene: &Scene, plan: &Plan) -> String {
    let mut lines = changes(&scene.task.known, &plan.known);
    lines.extend(plan.actions.iter().map(action));
    lines.extend(
        plan.cancel
            .iter()
            .map(|subject| format!("cancel {subject}")),
    );
    lines.extend(plan.known.conditions.iter().map(wait));
    lines.extend(plan.events.iter().map(tell));
    if plan.forget {
        lines.push("forget".to_owned());
    }
    lines.extend(plan.next.map(|at| format!("look at {}", seconds(at))));
    lines.join("\n")
}

/// Lines of what differs.
fn changes(before: &KnownTask, after: &KnownTask) -> Vec<String> {
    let mut lines = Vec::new();
    if (before.status, &before.stop) != (after.status, &after.stop) {
        let stop = after.stop.as_ref();
        let why = stop.map(|cause| format!(", stops for {}", cause.reason));
        lines.push(format!("task {}{}", after.status, why.unwrap_or_default()));
    }
    let times = [
        ("admitted", before.admitted_at, after.admitted_at),
        ("started", before.started_at, after.started_at),
        (
            "execution stopped",
            before.execution_stopped_at,
            after.execution_stopped_at,
        ),
        ("stopped", before.stopped_at, after.stopped_at),
    ];
    let changed = times.iter().filter(|(_, before, after)| before != after);
    lines.extend(changed.map(|(what, _, at)| format!("{what} at {}", maybe(*at))));
    for (name, known) in &after.containers {
        if before.containers.get(name) != Some(known) {
            lines.push(container(name, known));
        }
    }
    for (key, known) in &after.resources {
        if before.resources.get(key) != Some(known) {
            lines.push(resource(key, known));
        }
    }
    lines
}

fn maybe(at: Option<UnixMillis>) -> String {
    at.map_or_else(|| "-".to_owned(), seconds)
}

fn container(name: &ContainerName, known: &KnownContainer) -> String {
    let mut words = vec![format!("known {name} {}", known.status)];
    let own = docker_id(name, known.attempt);
    match &known.docker_id {
        Some(id) if *id == own => words.push("id".to_owned()),
        Some(_) => words.push("id=other".to_owned()),
        None => {}
    }
    if known.image_id.is_some() && known.docker_id.is_none() {
        words.push("image".to_owned());
    }
    if known.attempt > 0 {
        words.push(format!("attempt={}", known.attempt));
    }
    let times = [
        ("started", known.started_at),
        (
            "since",
            known
                .running_since
                .filter(|_| known.running_since != known.started_at),
        ),
        ("restarted", known.last_restart_at),
        ("asked", known.stop_requested_at),
        ("settles", known.settles_at),
    ];
    for (what, at) in times {
        words.extend(at.map(|at| format!("{what}={}", seconds(at))));
    }
    if let Some(exit) = &known.exit {
        let code = exit
            .code
            .map_or_else(|| "?".to_owned(), |code| code.to_string());
        let oom = if exit.oom_killed { "oom" } else { "" };
        words.push(format!("exit={code}{oom}@{}", seconds(exit.at)));
    }
    if known.health != Health::Unknown {
        words.push(format!("health={}", known.health));
    }
    if known.restart_count > 0 {
        words.push(format!("restarts={}", known.restart_count));
    }
    words.extend(
        known
            .bindings
            .iter()
            .map(|b| format!("port={}", b.host_port)),
    );
    let ranges = known.reservations.iter();
    words.extend(ranges.map(|r| format!("range={}+{}", r.first_host_port, r.count)));
    for (flag, set) in [("degraded", known.degraded_log), ("removed", known.removed)] {
        if set {
            words.push(flag.to_owned());
        }
    }
    words.extend(known.retry.as_ref().map(retry));
    words.extend(known.reason.as_ref().map(|reason| format!("({reason})")));
    words.join(" ")
}

fn resource(key: &ResourceKey, known: &KnownResource) -> String {
    let words = known.retry.as_ref().map(|r| format!(" {}", retry(r)));
    format!(
        "{key} {}{}",
        known.status.as_str(),
        words.unwrap_or_default()
    )
}

fn retry(retry: &Retry) -> String {
    let at = seconds(retry.not_before);
    format!(
        "retry={}:{}@{at} ({})",
        retry.step, retry.failures, retry.reason
    )
}

/// Docker names end in a hash of the task, the container and the attempt: `…` here.
fn without_hash(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let (name, comma) = word
            .strip_suffix(',')
            .map_or((word, ""), |name| (name, ","));
        match name.rsplit_once('-') {
            Some((head, hash)) if name.starts_with("ecs-") && hash.len() == 20 => {
                format!("{head}-…{comma}")
            }
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn action(action: &Action) -> String {
    let more = match &action.verb {
        Verb::Create { spec, replaces } => {
            let log = spec.log.as_ref().map(|log| format!(", log {}", log.driver));
            let ports = spec.ports.iter().filter_map(|port| port.host_port);
            let ports: Vec<String> = ports.map(|port| format!(", port {port}")).collect();
            let ports = ports.concat();
            let earlier = replaces.as_ref().map(|name| format!(", replaces {name}"));
            format!(
                "{ports}{}{}",
                log.unwrap_or_default(),
                earlier.unwrap_or_default()
            )
        }
        Verb::Inspect { id_or_name } if id_or_name.len() < 64 => format!(" by name {id_or_name}"),
        Verb::Remove { ids_or_names } => {
            let named = ids_or_names
                .iter()
                .map(|text| if text.len() < 64 { text } else { "id" });
            format!(" as {}", named.collect::<Vec<_>>().join(", "))
        }
        Verb::Start { ports, .. } if !ports.is_empty() => {
            let ports: Vec<String> = ports.iter().map(|(port, _)| port.to_string()).collect();
            format!(" on {}", ports.join(", "))
        }
        Verb::CreateVolume { spec, existing } => {
            let unless = match existing {
                Existing::Own => "",
                Existing::Used => " unless it exists",
                Existing::Matched => " unless one like it exists",
            };
            format!(": create {}{unless}", spec.name)
        }
        Verb::ExpectVolume { name } => format!(": expect {name}"),
        Verb::RemoveVolume { name } => format!(": remove {name}"),
        Verb::CreateCgroup { .. } => ": create".to_owned(),
        Verb::RemoveCgroup => ": remove".to_owned(),
        Verb::Pull { .. }
        | Verb::FetchSecrets { .. }
        | Verb::Inspect { .. }
        | Verb::Start { .. }
        | Verb::Stop { .. }
        | Verb::Kill { .. } => String::new(),
    };
    without_hash(&format!("do {action}{more}"))
}

fn wait(condition: &TaskCondition) -> String {
    let who = condition
        .container
        .as_ref()
        .map_or("task", ContainerName::as_str);
    let deadline = condition
        .deadline
        .map(|at| format!(", until {}", seconds(at)));
    format!(
        "wait {who} {}: {}; then {} (since {}{})",
        condition.cause,
        condition.message,
        condition.next_action,
        seconds(condition.since),
        deadline.unwrap_or_default()
    )
}

fn tell(event: &TaskEvent) -> String {
    let who = event
        .container
        .as_ref()
        .map_or("task", ContainerName::as_str);
    without_hash(&format!("tell {who} {}: {}", event.kind, event.message))
}

fn hints(before: &Hints, after: &Hints) -> Vec<String> {
    let mut lines = Vec::new();
    for name in after.look.difference(&before.look) {
        lines.push(format!("look at {name}"));
    }
    for name in after.found.keys() {
        if !before.found.contains_key(name) {
            lines.push(format!("{name} is found"));
        }
    }
    for name in before.look.difference(&after.look) {
        lines.push(format!("looked at {name}"));
    }
    for (name, state) in &after.states {
        if before.states.get(name).copied().map(RunState::as_str) != Some(state.as_str()) {
            lines.push(format!("{name} seems {}", state.as_str()));
        }
    }
    for (name, at) in &after.signalled_at {
        if before.signalled_at.get(name) != Some(at) {
            lines.push(format!("{name} was signalled at {}", seconds(*at)));
        }
    }
    lines
}
