//! Where this host is and whether it is the one that the store knows: what must be settled before ECS hears of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::agent::Shared;
use super::ec2::{Ec2, saved};
use super::registrar::{CLUSTER, INSTANCE, SEQUENCE, STORE_PACE, host_facts, store_facts};
use super::status::StatusBoard;
use crate::boundary::{InstanceFact, InstanceStore};
use crate::domain::ids::TaskArn;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::status::TaskStatus;
use crate::domain::task::Reported;
use crate::ecs::config::EcsConfig;
use crate::ecs::register::{is_another, region_of_arn, region_of_document};
use crate::error::ErrorChain;

/// Name of the fact in the store.
pub(super) const INSTANCE_ID: &str = "ec2-instance-id";

/// How often a region is looked for that nobody knows yet.
const REGION_PACE: Duration = Duration::from_mins(1);

/// What was found.
pub(super) struct Origin {
    pub(super) region: String,
    /// Id of the EC2 instance: as the service says, else as it was saved.
    pub(super) instance_id: Option<String>,
    /// What the store has is of another instance: its id.
    pub(super) another: Option<String>,
}

/// Finds it. Returns when there is a region.
pub(super) async fn find(
    config: &EcsConfig,
    store: &Arc<dyn InstanceStore>,
    ec2: Option<&Ec2>,
    status: &StatusBoard,
) -> Origin {
    let facts = store_facts(store).await;
    let before = saved(&facts, INSTANCE_ID).map(ToOwned::to_owned);
    let now = match ec2 {
        Some(ec2) => ec2.at_start(InstanceFact::InstanceId).await,
        None => None,
    };
    let another = is_another(before.as_deref(), now.as_deref());
    let region = loop {
        if let Some(region) = region(config, &facts, ec2).await {
            break region;
        }
        let words = "no region is given (AWS_DEFAULT_REGION)";
        if status.problem(words) {
            warn!(
                event = "not-connected",
                "ECS is not connected to: {words}, and nobody else says one"
            );
        }
        tokio::time::sleep(REGION_PACE).await;
    };
    Origin {
        region,
        another: before.clone().filter(|_| another),
        instance_id: now.or(before),
    }
}

/// As it is set; else as the instance says; else the one that this host was registered in.
async fn region(
    config: &EcsConfig,
    facts: &BTreeMap<String, String>,
    ec2: Option<&Ec2>,
) -> Option<String> {
    if let Some(region) = &config.region {
        return Some(region.clone());
    }
    let document = match ec2 {
        Some(ec2) => ec2.at_start(InstanceFact::IdentityDocument).await,
        None => None,
    };
    let said = document.as_deref().and_then(region_of_document);
    said.or_else(|| saved(facts, INSTANCE).and_then(region_of_arn))
}

/// The disk of another instance was copied: tasks of ECS that it had are none of this one's. They are told to nobody
/// and go, and this host registers as a new instance.
pub(super) async fn disown(shared: &Shared, before: &str) {
    warn!(
        event = "state-of-another-instance",
        before,
        now = shared.instance_id,
        "the state is that of another EC2 instance: its tasks of ECS are removed, and this host registers anew"
    );
    // By then the rows are read.
    host_facts(shared).await;
    let snapshot = shared.engine.snapshot();
    let tasks = snapshot.tasks.values().map(|view| &view.task);
    for task in tasks.filter(|task| task.is_of_ecs()) {
        forget(shared, task.arn()).await;
    }
    let now = shared.instance_id.as_deref().unwrap_or_default();
    let facts = [
        (INSTANCE, ""),
        (CLUSTER, ""),
        (SEQUENCE, ""),
        (INSTANCE_ID, now),
    ];
    while let Err(error) = shared.store.keep(&facts).await {
        let words = ErrorChain(&error).to_string();
        shared.tell(
            &words,
            "who this host is cannot be written down; trying again",
        );
        tokio::time::sleep(STORE_PACE).await;
    }
}

/// Counts as told to its end, durably, before it is removed: a crash in between tells nothing of it either.
async fn forget(shared: &Shared, task: &TaskArn) {
    let told = Reported {
        status: Some(TaskStatus::Stopped),
        ..Reported::default()
    };
    let why = "the task was that of another container instance";
    loop {
        let done = match shared.engine.reported(task, told.clone()).await {
            Ok(()) => {
                let reason = Reason::new(ReasonName::UserInitiated, why);
                shared.engine.remove(task, reason).await.map(|_| ())
            }
            Err(error) => Err(error),
        };
        match done {
            Ok(()) | Err(crate::reconcile::handle::HandleError::NotFound(_)) => return,
            Err(error) => {
                shared.tell(
                    &error.to_string(),
                    "tasks of another instance are not gone yet",
                );
                tokio::time::sleep(STORE_PACE).await;
            }
        }
    }
}
