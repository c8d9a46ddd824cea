//! Carries out what a session asks for.
//!
//! **Invariant.** True is answered when everything of the job is durable, and not before. A job may come twice.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use tracing::{info, warn};

use super::agent::Shared;
use super::registrar::{SEQUENCE, STORE_PACE};
use crate::domain::ids::TaskArn;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::status::DesiredStatus;
use crate::domain::task::{Origin, TaskOptions};
use crate::ecs::acs::{Delivery, Job};
use crate::ecs::payload::PayloadTask;
use crate::ecs::report::Rejections;
use crate::reconcile::handle::{Given, HandleError, PutTask};

/// Tasks that are handed to the engine at once: so many share one commit, and the engine's queue holds more.
const AT_ONCE: usize = 256;

/// Does the job.
pub(super) async fn run(shared: Arc<Shared>, rejections: Rejections, job: Job) -> bool {
    match job {
        Job::Take {
            tasks,
            stopped,
            stops,
        } => {
            let (taken, told, stopping) = tokio::join!(
                take_all(&shared, tasks),
                report_all(&rejections, stopped),
                stop_all(&shared, stops),
            );
            taken && told && stopping
        }
        Job::Stop(tasks) => {
            let until_durable = |arn: TaskArn| {
                let shared = &shared;
                async move {
                    // Confirmed once, and never asked for again. It is told once as well.
                    let mut durable = stop(shared, arn.clone()).await;
                    while !durable {
                        tokio::time::sleep(STORE_PACE).await;
                        durable = try_stop(shared, &arn).await.is_ok();
                    }
                    true
                }
            };
            all(tasks.into_iter().map(until_durable)).await
        }
        Job::KeepSequence(number) => {
            let number = number.to_string();
            let kept = shared.store.keep(&[(SEQUENCE, number.as_str())]).await;
            if let Err(error) = &kept {
                warn!(event = "manifest-not-durable", %error, "the number of a manifest cannot be written down");
            }
            kept.is_ok()
        }
        Job::Keep(delivery) => {
            shared.deliver(delivery);
            true
        }
    }
}

/// What stops makes room for what runs.
async fn take_all(shared: &Shared, tasks: Vec<PayloadTask>) -> bool {
    for delivery in tasks.iter().flat_map(|task| task.deliveries.clone()) {
        shared.deliver(delivery);
    }
    let (stops, runs): (Vec<_>, Vec<_>) = tasks
        .into_iter()
        .partition(|task| task.status == DesiredStatus::Stopped);
    let stopped = all(stops.into_iter().map(|task| take(shared, task))).await;
    all(runs.into_iter().map(|task| take(shared, task))).await && stopped
}

async fn take(shared: &Shared, task: PayloadTask) -> bool {
    let stops = task.status == DesiredStatus::Stopped;
    let known = shared.engine.snapshot().tasks.contains_key(&task.arn);
    if known {
        return !stops || stop(shared, task.arn).await;
    }
    if !task.ignored.is_empty() {
        let members = task.ignored.join(", ");
        info!(event = "payload-member-unknown", task.arn = %task.arn, members, "the task says things that this version does not pass on");
    }
    let id = |kind| {
        let mut of_kind = task
            .deliveries
            .iter()
            .filter(|delivery: &&Delivery| delivery.kind == kind);
        of_kind.next().map(|delivery| delivery.given.id.clone())
    };
    let given = Given {
        task_role: id(crate::domain::credentials::RoleKind::Task),
        execution_role: id(crate::domain::credentials::RoleKind::Execution),
        stop: stops.then(stop_reason),
        ecs: task.ecs,
    };
    let put = PutTask {
        arn: task.arn.clone(),
        definition: task.definition,
        options: TaskOptions::default(),
        origin: Origin::Ecs,
        expected_generation: None,
    };
    match shared.engine.put_given(put, given).await {
        Ok(_) => true,
        // It is there, as it was first asked for: only whether it shall stop may still change.
        Err(HandleError::Conflict(arn)) => !stops || stop(shared, arn).await,
        Err(error) => {
            warn!(event = "payload-not-durable", task.arn = %task.arn, %error, "a task of a payload is not durable; ECS sends it again");
            false
        }
    }
}

async fn stop_all(shared: &Shared, tasks: Vec<TaskArn>) -> bool {
    all(tasks.into_iter().map(|arn| stop(shared, arn))).await
}

async fn stop(shared: &Shared, arn: TaskArn) -> bool {
    let tried = try_stop(shared, &arn).await;
    if let Err(error) = &tried {
        warn!(event = "payload-not-durable", task.arn = %arn, %error, "a stop is not durable yet");
    }
    tried.is_ok()
}

async fn try_stop(shared: &Shared, arn: &TaskArn) -> Result<(), HandleError> {
    match shared.engine.stop(arn, stop_reason()).await {
        // One that is gone has stopped.
        Ok(_) | Err(HandleError::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn stop_reason() -> Reason {
    Reason::new(ReasonName::UserInitiated, "ECS asked for the stop")
}

async fn report_all(rejections: &Rejections, stopped: Vec<(TaskArn, String)>) -> bool {
    let reports = stopped
        .into_iter()
        .map(|(arn, why)| async move { rejections.stopped(arn, &why).await });
    all(reports).await
}

/// Whether all succeed; none is left out because another failed.
async fn all(jobs: impl Iterator<Item = impl Future<Output = bool>>) -> bool {
    stream::iter(jobs)
        .buffer_unordered(AT_ONCE)
        .fold(true, async |before, now| before && now)
        .await
}
