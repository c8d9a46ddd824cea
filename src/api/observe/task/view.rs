//! Tasks of the engine as wire types.
//!
//! Pure: snapshot and time in, wire out.

use super::wire;
use crate::api::observe::why::{bytes_per_second, explain, percent};
use crate::domain::definition::NetworkMode;
use crate::domain::ids::{ContainerName, UnixMillis};
use crate::domain::outcome::{Outcome, first_essential_exit, outcome};
use crate::domain::port_mapping::PortBinding;
use crate::domain::reason::Reason;
use crate::domain::runtime::PullProgress;
use crate::domain::status::ContainerStatus;
use crate::domain::task::{KnownContainer, Origin, Retry, Task, TaskCondition};
use crate::reconcile::snapshot::{EngineView, InFlight, TaskView};

/// A task in short.
pub(in crate::api) fn summary(
    view: &TaskView,
    engine: &EngineView,
    now: UnixMillis,
) -> wire::TaskSummary {
    let Task { desired, known } = &view.task;
    let explanation = explain(view, engine, now);
    // What has stopped holds no port, whatever was last seen.
    let live = known.containers.values();
    let live = live.filter(|container| container.status < ContainerStatus::Stopped);
    let mut ports: Vec<wire::Port> = live
        .flat_map(|container| container.bindings.iter().map(port))
        .collect();
    ports.sort();
    wire::TaskSummary {
        task_arn: desired.arn.to_string(),
        task_id: desired.arn.task_id().to_string(),
        family: desired.definition.family.to_string(),
        revision: desired.definition.revision,
        status: known.status.to_string(),
        desired_status: view.task.effective_desired().to_string(),
        converged: explanation.converged,
        why: explanation.headline,
        origin: origin(&desired.origin),
        arrived_at: desired.arrived_at.into(),
        started_at: known.started_at.map(Into::into),
        stopped_at: known.stopped_at.map(Into::into),
        end: end(&view.task),
        ports,
    }
}

fn end(task: &Task) -> Option<wire::TaskEnd> {
    let outcome = match outcome(task)? {
        Outcome::Completed => wire::EndOutcome::Completed,
        Outcome::Failed => wire::EndOutcome::Failed,
        Outcome::Asked => wire::EndOutcome::Asked,
        Outcome::Replaced => wire::EndOutcome::Replaced,
    };
    let stop = task.known.stop.as_ref().map(|stop| &stop.reason);
    let reason = stop.or(task.desired.stop_reason.as_ref());
    let first = first_essential_exit(task);
    Some(wire::TaskEnd {
        outcome,
        reason: reason.map(|reason| reason.name.to_string()),
        container: first.map(|(name, _)| name.to_string()),
        exit_code: first.and_then(|(_, exit)| exit.code),
    })
}

/// A task in full.
pub(super) fn detail(view: &TaskView, engine: &EngineView, now: UnixMillis) -> wire::TaskDetail {
    let known = &view.task.known;
    let resources = known.resources.iter().map(|(key, known)| wire::Resource {
        name: key.to_string(),
        status: known.status.as_str().to_owned(),
        retry: known.retry.as_ref().map(retry),
    });
    wire::TaskDetail {
        now: now.into(),
        summary: summary(view, engine, now),
        desired: desired(&view.task),
        known: wire::Known {
            observed_generation: known.observed_generation.0,
            stop_reason: known.stop.as_ref().map(|stop| stop.reason.wire()),
            admitted_at: known.admitted_at.map(Into::into),
            pull_started_at: known.pull_started_at.map(Into::into),
            pull_stopped_at: known.pull_stopped_at.map(Into::into),
            execution_stopped_at: known.execution_stopped_at.map(Into::into),
        },
        containers: containers(&view.task),
        resources: resources.collect(),
        conditions: known
            .conditions
            .iter()
            .map(|each| condition(each, now))
            .collect(),
        in_flight: view
            .in_flight
            .iter()
            .map(|step| in_flight(step, now))
            .collect(),
        planned: view.planned.clone(),
        timeline: view.timeline.last(usize::MAX).map(Into::into).collect(),
    }
}

fn desired(task: &Task) -> wire::Desired {
    let desired = &task.desired;
    wire::Desired {
        generation: desired.generation.0,
        status: desired.status.to_string(),
        stop_reason: desired.stop_reason.as_ref().map(Reason::wire),
        remove: desired.remove,
        network_as: desired
            .options
            .network_as
            .map(|mode| network(mode).to_owned()),
        ignore_compatibilities: desired.options.ignore_compatibilities,
    }
}

fn network(mode: NetworkMode) -> &'static str {
    match mode {
        NetworkMode::Bridge => "bridge",
        NetworkMode::Host => "host",
        NetworkMode::None => "none",
        NetworkMode::Awsvpc => "awsvpc",
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Api => "api".to_owned(),
        Origin::Run => "run".to_owned(),
        Origin::File(name) => format!("file:{name}"),
        Origin::Ecs => "ecs".to_owned(),
        Origin::Adopted => "adopted".to_owned(),
    }
}

/// Containers of the definition in its order, then those that only the engine knows.
pub(in crate::api) fn containers(task: &Task) -> Vec<wire::Container> {
    let definition = &task.desired.definition;
    let unheard = KnownContainer::default();
    let defined = definition.containers.iter().map(|container| {
        let known = task.known.containers.get(&container.name);
        let mut wire = of_known(&container.name, known.unwrap_or(&unheard));
        wire.image = Some(container.image.to_string());
        wire.essential = container.essential;
        wire
    });
    let others = task
        .known
        .containers
        .iter()
        .filter(|(name, _)| definition.container(name).is_none())
        .map(|(name, known)| of_known(name, known));
    defined.chain(others).collect()
}

fn of_known(name: &ContainerName, known: &KnownContainer) -> wire::Container {
    wire::Container {
        name: name.to_string(),
        image: None,
        essential: false,
        status: known.status.to_string(),
        health: known.health.to_string(),
        docker_id: known.docker_id.as_ref().map(ToString::to_string),
        image_id: known.image_id.clone(),
        image_digest: known.image_digest.clone(),
        running_since: known.running_since.map(Into::into),
        exit: known.exit.as_ref().map(|exit| wire::ContainerExit {
            code: exit.code,
            at: exit.at.into(),
            oom_killed: exit.oom_killed,
        }),
        reason: known.reason.as_ref().map(Reason::wire),
        restart_count: known.restart_count,
        degraded_log: known.degraded_log,
        ports: known.bindings.iter().map(port).collect(),
        retry: known.retry.as_ref().map(retry),
    }
}

fn port(binding: &PortBinding) -> wire::Port {
    wire::Port {
        bind_ip: binding.bind_ip.clone(),
        host_port: binding.host_port,
        container_port: binding.container_port,
        protocol: binding.protocol.to_string(),
    }
}

fn retry(retry: &Retry) -> wire::Retry {
    wire::Retry {
        step: retry.step.to_string(),
        failures: retry.failures,
        not_before: retry.not_before.into(),
        reason: retry.reason.wire(),
    }
}

/// A condition with its age.
pub(in crate::api) fn condition(condition: &TaskCondition, now: UnixMillis) -> wire::Condition {
    wire::Condition {
        container: condition.container.as_ref().map(ToString::to_string),
        cause: condition.cause.to_string(),
        message: condition.message.clone(),
        since: condition.since.into(),
        age_seconds: now.since(condition.since).as_secs(),
        deadline: condition.deadline.map(Into::into),
        next_action: condition.next_action.clone(),
        next_at: condition.next_at.map(Into::into),
    }
}

/// A step with its age and progress.
pub(in crate::api) fn in_flight(step: &InFlight, now: UnixMillis) -> wire::InFlightStep {
    wire::InFlightStep {
        container: step.container.as_ref().map(ToString::to_string),
        step: step.step.to_string(),
        since: step.since.into(),
        age_seconds: now.since(step.since).as_secs(),
        deadline: step.deadline.map(Into::into),
        progress: step
            .progress
            .as_ref()
            .map(|far| progress(far, step.since, now)),
    }
}

/// How far a pull is that began at `since`.
pub(in crate::api) fn progress(
    progress: &PullProgress,
    since: UnixMillis,
    now: UnixMillis,
) -> wire::Progress {
    wire::Progress {
        percent: percent(progress),
        bytes_per_second: bytes_per_second(progress, since, now),
        downloaded_bytes: progress.downloaded_bytes,
        download_total_bytes: progress.download_total_bytes,
        extracted_bytes: progress.extracted_bytes,
        layers_done: progress.layers_done,
        layers_total: progress.layers_total,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::admin::testing::{NOW, ago, container_name, running};
    use crate::domain::reason::ReasonName;
    use crate::domain::status::{DesiredStatus, TaskStatus};
    use crate::domain::task::{Exit, StopCause};

    /// A task whose container has exited with that code.
    fn exited(code: i64) -> TaskView {
        let mut view = running("a");
        let known = &mut view.task.known;
        known.status = TaskStatus::Stopped;
        let app = known.containers.get_mut(&container_name("app"));
        let app = app.expect("a container");
        app.status = ContainerStatus::Stopped;
        app.started_at = Some(ago(60));
        app.exit = Some(Exit {
            code: Some(code),
            at: ago(5),
            oom_killed: false,
        });
        view
    }

    fn end_of(view: &TaskView) -> (wire::EndOutcome, Option<String>, Option<i64>) {
        let end = summary(view, &EngineView::default(), NOW).end;
        let end = end.expect("it has ended");
        (end.outcome, end.reason, end.exit_code)
    }

    #[test]
    fn how_a_task_ended_is_told_by_codes_and_causes() {
        let going = summary(&running("a"), &EngineView::default(), NOW);
        assert_eq!(going.end, None);
        let by_itself = |code| {
            let mut view = exited(code);
            let reason = Reason::new(ReasonName::EssentialContainerExited, "app");
            view.task.known.stop = Some(StopCause { reason, at: ago(5) });
            end_of(&view)
        };
        let reason = || Some("EssentialContainerExited".to_owned());
        let (good, bad) = (wire::EndOutcome::Completed, wire::EndOutcome::Failed);
        assert_eq!(by_itself(0), (good, reason(), Some(0)));
        assert_eq!(by_itself(3), (bad, reason(), Some(3)));
        // Killed because somebody asked: no failure, whatever the code.
        let mut asked = exited(137);
        asked.task.desired.status = DesiredStatus::Stopped;
        asked.task.desired.stop_reason = Some(Reason::new(ReasonName::UserInitiated, "tonight"));
        let by_operator = Some("UserInitiated".to_owned());
        assert_eq!(
            end_of(&asked),
            (wire::EndOutcome::Asked, by_operator, Some(137))
        );
    }
}
