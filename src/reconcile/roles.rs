//! Roles of tasks: which are wanted, how far the one of a task is, and who waits for news of it.

use crate::boundary::ErrorKind;
use crate::boundary::credentials::RoleReadiness;
use crate::domain::credentials::{RoleArn, RoleGrant, RoleKind};
use crate::domain::ids::UnixMillis;
use crate::domain::status::TaskStatus;
use crate::domain::task::{Cause, Task};

use super::worker::Reconciler;

/// The roles whose credentials a task may have now: that of the task until it has stopped, that of its execution until
/// it is cleaned up. What is no ARN of a role is left out.
pub fn grants(task: &Task) -> impl Iterator<Item = RoleGrant> {
    let desired = &task.desired;
    let stopped = task.known.status == TaskStatus::Stopped;
    let task_role = desired.ids.task_role.as_ref().filter(|_| !stopped);
    let (ids, definition) = (&desired.ids, &desired.definition);
    [
        (task_role, &definition.task_role_arn, RoleKind::Task),
        (
            ids.execution_role.as_ref(),
            &definition.execution_role_arn,
            RoleKind::Execution,
        ),
    ]
    .into_iter()
    .filter_map(|(id, role, kind)| {
        Some(RoleGrant {
            id: id?.clone(),
            owner: desired.arn.clone(),
            kind,
            role: RoleArn::parse(role.as_ref()?).ok()?,
        })
    })
}

impl Reconciler {
    /// Told whenever a task comes, stops or goes.
    pub(super) fn tell_wanted_roles(&self) {
        if let Some(roles) = &self.deps.roles {
            let tasks = self.entries.values().map(|entry| &entry.task);
            roles.set_wanted(tasks.flat_map(grants).collect());
        }
    }

    /// How far the role of a task is; `None` = it has none, or roles are not served.
    pub(super) fn role_of(&self, task: &Task) -> Option<RoleReadiness> {
        let roles = self.deps.roles.as_ref()?;
        let id = task.desired.ids.task_role.as_ref()?;
        let role = task.desired.definition.task_role_arn.as_ref()?;
        if let Err(error) = RoleArn::parse(role) {
            return Some(RoleReadiness::Failing {
                failures: 1,
                kind: ErrorKind::Invalid,
                message: format!("taskRoleArn {error}"),
                next_at: UnixMillis(i64::MAX),
            });
        }
        // What is wanted and not known yet is as good as being fetched.
        Some(roles.readiness(id).unwrap_or(RoleReadiness::Fetching))
    }

    /// Tasks that wait for credentials are looked at again.
    pub(super) fn wake_for_roles(&mut self, now: UnixMillis) {
        for (arn, entry) in &self.entries {
            let waits = &entry.task.known.conditions;
            if waits
                .iter()
                .any(|wait| wait.cause == Cause::WaitingForCredentials)
            {
                self.queue.wake(arn, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::credentials::CredentialsId;
    use crate::domain::sample;

    const ROLE: &str = "arn:aws:iam::123456789012:role/web";

    fn kinds(change: impl FnOnce(&mut Task)) -> Vec<RoleKind> {
        let mut task = sample::task(sample::definition(&["app"]));
        let definition = Arc::make_mut(&mut task.desired.definition);
        definition.task_role_arn = Some(ROLE.to_owned());
        definition.execution_role_arn = Some(ROLE.to_owned());
        task.desired.ids.task_role = CredentialsId::parse("a").ok();
        task.desired.ids.execution_role = CredentialsId::parse("b").ok();
        change(&mut task);
        grants(&task).map(|grant| grant.kind).collect()
    }

    #[test]
    fn a_task_has_its_roles_until_it_stops_and_is_cleaned_up() {
        let both = [RoleKind::Task, RoleKind::Execution];
        assert_eq!(kinds(|_| ()), both);
        let stopped = kinds(|task| task.known.status = TaskStatus::Stopped);
        assert_eq!(stopped, [RoleKind::Execution]);
    }

    #[test]
    fn a_task_without_ids_or_with_a_text_that_is_no_role_has_none() {
        assert!(
            kinds(|task| task.desired.ids = crate::domain::task_ids::TaskIds::default()).is_empty()
        );
        let bad = kinds(|task| {
            let definition = Arc::make_mut(&mut task.desired.definition);
            definition.task_role_arn = Some("web".to_owned());
            definition.execution_role_arn = None;
        });
        assert!(bad.is_empty());
    }
}
