//! A container runs its first instruction only when the credentials of the task's role can be served.

use crate::boundary::credentials::RoleReadiness;
use crate::domain::ids::UnixMillis;
use crate::domain::layout::{ContainerKind, LayoutContainer};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::task::Cause;

use super::Planner;
use super::waits::Wait;

impl Planner<'_, '_> {
    /// Whether the container need not wait for credentials, and says why it must. Gives the task up when they could
    /// not be had for too long.
    pub(super) fn role_ready(&mut self, container: &LayoutContainer) -> bool {
        let ContainerKind::Application(_) = container.kind else {
            return true;
        };
        let deadline = self.credentials_deadline();
        let message = match self.input.role {
            None | Some(RoleReadiness::Ready) => return true,
            Some(RoleReadiness::Fetching) => {
                "the credentials of the task's role are being fetched".to_owned()
            }
            Some(RoleReadiness::Failing { message, .. }) if deadline <= self.input.now => {
                let waited = self.input.settings.credentials_wait.as_secs();
                self.draft.stop_task(Reason::new(
                    ReasonName::ResourceInitializationError,
                    format!(
                        "credentials of the task's role could not be had in {waited} s: {message}"
                    ),
                ));
                return false;
            }
            Some(RoleReadiness::Failing { message, .. }) => {
                format!("the credentials of the task's role cannot be had: {message}")
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

    /// Counts from when the task began to wait, which is in its rows.
    fn credentials_deadline(&self) -> UnixMillis {
        let waits = &self.input.task.known.conditions;
        let began = waits
            .iter()
            .find(|wait| wait.cause == Cause::WaitingForCredentials)
            .map_or(self.input.now, |wait| wait.since);
        began.plus(self.input.settings.credentials_wait)
    }
}
