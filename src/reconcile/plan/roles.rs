//! A container runs its first instruction only when the credentials of the task's role can be served, and an image that
//! is pulled with the execution role waits for that one's.

use std::collections::BTreeSet;

use crate::boundary::credentials::RoleReadiness;
use crate::boundary::secrets::SecretsWish;
use crate::domain::credentials::RoleKind;
use crate::domain::ids::UnixMillis;
use crate::domain::layout::{ContainerKind, LayoutContainer};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::registry::execution_role;
use crate::domain::task::Cause;
use crate::reconcile::action::Verb;

use super::Planner;
use super::spec::log_role;
use super::waits::Wait;

impl Planner<'_, '_> {
    /// Whether the container need not wait for credentials of the task's role.
    pub(super) fn role_ready(&mut self, container: &LayoutContainer) -> bool {
        match container.kind {
            ContainerKind::Application(index) => {
                self.credentials_ready(RoleKind::Task)
                    && (!self.logs_with_role(index) || self.credentials_ready(RoleKind::Execution))
            }
            ContainerKind::NetworkPause | ContainerKind::NamespacePause => true,
        }
    }

    /// Whether Docker asks for credentials of the task's execution role when the container starts.
    fn logs_with_role(&self, index: usize) -> bool {
        let desired = self.draft.desired;
        let container = desired.definition.containers.get(index);
        container.is_some_and(|it| log_role(self.input.settings, desired, it).is_some())
    }

    /// Whether nobody need wait for the role's credentials, and says why one must. Gives the task up when they could
    /// not be had for too long.
    pub(super) fn credentials_ready(&mut self, kind: RoleKind) -> bool {
        let (role, whose) = match kind {
            RoleKind::Task => (self.input.role, "the task's role"),
            RoleKind::Execution => (self.input.execution_role, "the task's execution role"),
        };
        let deadline = self.credentials_deadline();
        let message = match role {
            None | Some(RoleReadiness::Ready) => return true,
            Some(RoleReadiness::Fetching) => {
                format!("the credentials of {whose} are being fetched")
            }
            Some(RoleReadiness::Failing { message, .. }) if deadline <= self.input.now => {
                let waited = self.input.settings.credentials_wait.as_secs();
                self.draft.stop_task(Reason::new(
                    ReasonName::ResourceInitializationError,
                    format!("credentials of {whose} could not be had in {waited} s: {message}"),
                ));
                return false;
            }
            Some(RoleReadiness::Failing { message, .. }) => {
                format!("the credentials of {whose} cannot be had: {message}")
            }
        };
        let wait = Wait {
            container: None,
            cause: Cause::WaitingForCredentials,
            message,
            then: "try again, and go on when they are there".to_owned(),
        };
        if deadline > self.input.now {
            self.waits.with_deadline(wait, deadline);
        } else {
            // The agent was away: a fetch under way has its chance, and its end is told.
            self.waits.add(wait);
        }
        false
    }

    /// Whether the container has the values that it gets from outside; has them got if not.
    pub(super) fn secrets_ready(&mut self, container: &LayoutContainer) -> bool {
        let ContainerKind::Application(index) = container.kind else {
            return true;
        };
        let desired = self.draft.desired;
        let Some(found) = desired.definition.containers.get(index) else {
            return true;
        };
        let places: BTreeSet<String> = found
            .secrets_used()
            .map(|used| used.value_from.clone())
            .collect();
        if places.is_empty() || self.input.secrets_held.contains(&container.name) {
            return true;
        }
        let Some(role) = execution_role(desired) else {
            // A definition without one is refused before: somebody else has made this task.
            self.draft.stop_task(Reason::new(
                ReasonName::ResourceInitializationError,
                "secret resource: unable to find execution role credentials",
            ));
            return false;
        };
        if self.credentials_ready(RoleKind::Execution) {
            let wish = SecretsWish {
                task: desired.arn.clone(),
                role: role.id,
                places,
            };
            self.act(&container.name, Verb::FetchSecrets { wish });
        }
        false
    }

    /// Counts from when the task began to wait, which is in its rows.
    fn credentials_deadline(&self) -> UnixMillis {
        let waits = &self.draft.known.conditions;
        let began = waits
            .iter()
            .find(|wait| wait.cause == Cause::WaitingForCredentials)
            .map_or(self.input.now, |wait| wait.since);
        began.plus(self.input.settings.credentials_wait)
    }
}
