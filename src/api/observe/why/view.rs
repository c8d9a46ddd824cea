//! Explanations and the engine's surroundings as wire types.

use std::borrow::Cow;

use super::explain::explain;
use super::wire::{Engine, WhyTask};
use crate::api::observe::files::wire::{TaskFile, TaskFiles};
use crate::api::observe::task::{condition, containers, in_flight};
use crate::domain::draining::Draining;
use crate::domain::ids::UnixMillis;
use crate::domain::task::{Cause, TaskCondition};
use crate::reconcile::snapshot::{EngineView, TaskView};

/// One task with its explanation; `None` for a task that nobody who asks what is waiting wants to see.
pub(super) fn waiting(view: &TaskView, engine: &EngineView, now: UnixMillis) -> Option<WhyTask> {
    explain(view, engine, now)
        .is_waiting()
        .then(|| why_task(view, engine, now))
}

/// One task with its explanation.
pub(super) fn why_task(view: &TaskView, engine: &EngineView, now: UnixMillis) -> WhyTask {
    let explanation = explain(view, engine, now);
    let desired = &view.task.desired;
    let others = explanation.others.iter();
    WhyTask {
        task_arn: desired.arn.to_string(),
        task_id: desired.arn.task_id().to_string(),
        family: desired.definition.family.to_string(),
        revision: desired.definition.revision,
        status: view.task.known.status.to_string(),
        desired_status: view.task.effective_desired().to_string(),
        converged: explanation.converged,
        headline: explanation.headline,
        arrived_at: desired.arrived_at.into(),
        blocking: explanation
            .blocking
            .as_ref()
            .map(|each| condition(each, now)),
        others: others.map(|each| condition(each, now)).collect(),
        in_flight: view
            .in_flight
            .iter()
            .map(|step| in_flight(step, now))
            .collect(),
        planned: view.planned.clone(),
        containers: containers(&view.task),
    }
}

/// The task with what the engine does not know of it: that the file it was made from starts it anew.
pub(super) fn with_successor<'v>(view: &'v TaskView, files: &TaskFiles) -> Cow<'v, TaskView> {
    let arn = view.task.arn().as_str();
    let of_task = |file: &&TaskFile| file.task_arn.as_deref() == Some(arn);
    let found = files.files.iter().find(of_task);
    let Some((file, until)) = found.and_then(|file| Some((file, file.until?))) else {
        return Cow::Borrowed(view);
    };
    let known = &view.task.known;
    let condition = TaskCondition {
        container: None,
        cause: Cause::BackingOff,
        message: format!("its file {} starts it anew", file.name),
        since: known.stopped_at.unwrap_or(view.task.desired.arrived_at),
        deadline: None,
        next_action: "start a new task".to_owned(),
        next_at: Some(until.0),
    };
    let mut view = view.clone();
    view.task.known.conditions.push(condition);
    Cow::Owned(view)
}

/// The engine's surroundings.
pub(in crate::api) fn engine_wire(engine: &EngineView) -> Engine {
    Engine {
        runtime_seen: engine.host.is_some(),
        runtime_version: engine
            .host
            .as_ref()
            .map(|host| host.runtime_version.clone()),
        runtime_answered_at: engine.runtime_answered_at.map(Into::into),
        runtime_error: engine.runtime_error.clone(),
        relisted_at: engine.relisted_at.map(Into::into),
        committed_at: engine.committed_at.map(Into::into),
        store_error: engine.store_error.clone(),
        draining: engine.draining.as_ref().map(Draining::words),
        damage: engine.damage.clone(),
        events_seen: engine.events_seen,
        events_missed: engine.events_missed,
    }
}
