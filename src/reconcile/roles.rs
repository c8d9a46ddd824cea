//! Roles of tasks: which are wanted, how far the one of a task is, and who waits for news of it.

use std::collections::BTreeSet;

use crate::boundary::ErrorKind;
use crate::boundary::credentials::RoleReadiness;
use crate::domain::credentials::{CredentialsId, RoleArn, RoleGrant, RoleKind};
use crate::domain::definition::ContainerDefinition;
use crate::domain::ids::{ContainerName, UnixMillis};
use crate::domain::registry::RegistryAccess;
use crate::domain::status::TaskStatus;
use crate::domain::task::{Cause, DesiredTask, Task};

use super::settings::EngineSettings;
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

/// Those of them that somebody may ask for: of the task where roles are served, of its execution there too, and
/// elsewhere where the agent itself needs it.
pub fn wanted<'t>(
    task: &'t Task,
    settings: &EngineSettings,
) -> impl Iterator<Item = RoleGrant> + use<'t> {
    let served = settings.endpoints.credentials;
    let own = settings.execution_roles && (served || needs_execution_role(&task.desired));
    grants(task).filter(move |grant| match grant.kind {
        RoleKind::Task => served,
        RoleKind::Execution => own,
    })
}

/// Whether the agent has something to ask for with the execution role.
fn needs_execution_role(desired: &DesiredTask) -> bool {
    desired.definition.containers.iter().any(|container| {
        let pulls = RegistryAccess::of(container, desired, true);
        pulls.role().is_some() || container.secrets_used().next().is_some()
    })
}

impl Reconciler {
    /// Told whenever a task comes, stops or goes.
    pub(super) fn tell_wanted_roles(&self) {
        if let Some(roles) = &self.deps.roles {
            let tasks = self.entries.values().map(|entry| &entry.task);
            let settings = &self.deps.settings;
            roles.set_wanted(tasks.flat_map(|task| wanted(task, settings)).collect());
        }
    }

    /// How far the role of a task is; `None` = it has none, or roles are not served.
    pub(super) fn role_of(&self, task: &Task) -> Option<RoleReadiness> {
        let desired = &task.desired;
        let role = desired.definition.task_role_arn.as_ref()?;
        let served = self.deps.settings.endpoints.credentials;
        let id = desired.ids.task_role.as_ref().filter(|_| served)?;
        self.readiness("taskRoleArn", role, id)
    }

    /// The same of its execution role; `None` = it has none, or none can be had.
    pub(super) fn execution_role_of(&self, task: &Task) -> Option<RoleReadiness> {
        let desired = &task.desired;
        let role = desired.definition.execution_role_arn.as_ref()?;
        let had = self.deps.settings.execution_roles;
        let id = desired.ids.execution_role.as_ref().filter(|_| had)?;
        self.readiness("executionRoleArn", role, id)
    }

    fn readiness(&self, field: &str, role: &str, id: &CredentialsId) -> Option<RoleReadiness> {
        let roles = self.deps.roles.as_ref()?;
        if let Err(error) = RoleArn::parse(role) {
            return Some(RoleReadiness::Failing {
                failures: 1,
                kind: ErrorKind::Invalid,
                message: format!("{field} {error}"),
                next_at: UnixMillis(i64::MAX),
            });
        }
        // What is wanted and not known yet is as good as being fetched.
        Some(roles.readiness(id).unwrap_or(RoleReadiness::Fetching))
    }

    /// Containers of the task whose values from outside are held.
    pub(super) fn secrets_held(&self, task: &Task) -> BTreeSet<ContainerName> {
        let containers = &task.desired.definition.containers;
        if containers
            .iter()
            .all(|it| it.secrets_used().next().is_none())
        {
            return BTreeSet::new();
        }
        let held = self.deps.secrets.held(task.desired.arn.task_id());
        let all = |container: &&ContainerDefinition| {
            let mut used = container.secrets_used();
            used.all(|secret| held.0.contains_key(&secret.value_from))
        };
        let ready = containers.iter().filter(all);
        ready.map(|container| container.name.clone()).collect()
    }

    /// Tasks that wait for credentials are looked at again.
    pub(super) fn wake_for_roles(&mut self, now: UnixMillis) {
        for (arn, entry) in self.entries.iter() {
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
